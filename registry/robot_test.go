package registry_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"renga"
)

const (
	pushRobot = "alice-robot:app-hello:registry-push-token"
	pullRobot = "alice-robot:app-hello:registry-pull-token"
)

// TestARobotReachesItsAppAndNoOther, though its account owns both, and may make more.
func TestARobotReachesItsAppAndNoOther(t *testing.T) {
	w := newFixture(t)
	w.set(renga.App{ID: "app-other", Name: "other", Owner: "alice"})
	img := image(t)
	w.push(t, "other/web:v1", img)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	layer := digestOf(t, layers[0])
	if err := remote.Write(w.ref(t, "hello/web:latest"), image(t), as(pushRobot)...); err != nil {
		t.Fatal(err)
	}
	if got := w.released(); len(got) != 1 || got[0].App != "hello" || got[0].By != "alice" {
		t.Errorf("released %+v", got)
	}
	for _, row := range []struct {
		token, method, path string
		status              int
	}{
		{pullRobot, "GET", "/v2/", 200},
		{pullRobot, "GET", "/v2/hello/web/manifests/latest", 200},
		{pullRobot, "GET", "/v2/hello/web/tags/list", 200},
		{pullRobot, "POST", "/v2/hello/web/blobs/uploads/", 403},
		{pullRobot, "PUT", "/v2/hello/web/manifests/v1", 403},
		{pullRobot, "DELETE", "/v2/hello/web/manifests/latest", 403},
		{pullRobot, "GET", "/v2/other/web/manifests/v1", 403},
		{pullRobot, "GET", "/v2/nobody/web/manifests/v1", 403}, // as one that exists
		{pushRobot, "GET", "/v2/other/web/manifests/v1", 403},
		{pushRobot, "HEAD", "/v2/other/web/blobs/" + layer, 404},
		{pushRobot, "POST", "/v2/other/web/blobs/uploads/", 403},
		{pushRobot, "POST", "/v2/nobody/web/blobs/uploads/", 403}, // makes no app
		{pushRobot, "PUT", "/v2/nobody/web/manifests/latest", 403},
		{pushRobot, "PUT", "/v2/hello/releases/manifests/v1", 403},
		{pushRobot, "POST", "/v2/hello/web/blobs/uploads/?from=other/web&mount=" + layer, 202},
		{pushRobot, "HEAD", "/v2/hello/web/blobs/" + layer, 404}, // it was not mounted
	} {
		res, body := w.do(t, row.token, row.method, row.path, nil, nil)
		if res.StatusCode != row.status {
			t.Errorf("%s %s as %s: %d %s, want %d", row.method, row.path, row.token, res.StatusCode, body, row.status)
		}
	}
	if got := w.catalog(t, pullRobot, ""); !slices.EqualFunc(got, [][]string{{"hello/web"}}, slices.Equal) {
		t.Errorf("a robot's list is %v", got)
	}
}

// TestARobotEndsWithItsCreatorsRight at the very next request.
func TestARobotEndsWithItsCreatorsRight(t *testing.T) {
	w := newFixture(t)
	shared := func(has ...renga.Permission) {
		w.set(renga.App{ID: "app-hello", Name: "hello", Owner: "bob",
			Collaborators: map[renga.AccountID]renga.Collaborator{"alice": {Permissions: has}}})
	}
	can := func() (pull, push int) {
		res, _ := w.do(t, pullRobot, "GET", "/v2/hello/web/tags/list", nil, nil)
		pull = res.StatusCode
		res, _ = w.do(t, pushRobot, "POST", "/v2/hello/web/blobs/uploads/", nil, nil)
		return pull, res.StatusCode
	}
	w.push(t, "hello/web:v1", image(t))
	shared(renga.MayDeploy, renga.MayView)
	if pull, push := can(); pull != http.StatusOK || push != http.StatusAccepted {
		t.Errorf("with the right: %d, %d", pull, push)
	}
	shared(renga.MayView)
	if pull, push := can(); pull != http.StatusOK || push != http.StatusForbidden {
		t.Errorf("with view alone: %d, %d", pull, push)
	}
	shared()
	if pull, push := can(); pull != http.StatusForbidden || push != http.StatusForbidden {
		t.Errorf("without: %d, %d", pull, push)
	}
	// Another app that has the name now is not the robot's.
	w.set(renga.App{ID: "app-second", Name: "hello", Owner: "alice"})
	if pull, push := can(); pull != http.StatusForbidden || push != http.StatusForbidden {
		t.Errorf("of a new app with the old name: %d, %d", pull, push)
	}
}
