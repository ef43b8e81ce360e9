package registry_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"renga"
)

// open lets everybody pull hello's images.
func (w *fixture) open() {
	w.set(renga.App{ID: "app-hello", Name: "hello", Owner: "alice", Registry: renga.RegistryRules{AnonymousPull: true}})
}

func TestDockerPullsWithoutALoginWhatIsOpen(t *testing.T) {
	w, d := newFixture(t), docker{t.TempDir()}
	ref := d.load(t, w, "hello:latest", image(t))
	d.must(t, "alice-token", "login", "-u", "_", "--password-stdin", w.host)
	d.must(t, "", "push", ref)
	d.must(t, "", "logout", w.host)
	d.must(t, "", "rmi", ref)
	if out, err := d.run(t, "", "pull", ref); err == nil || !strings.Contains(out, "Log in with an API token") {
		t.Fatalf("pulled without a login: %v\n%s", err, out)
	}
	w.open()
	d.must(t, "", "pull", ref)
	if out, err := d.run(t, "", "push", ref); err == nil {
		t.Errorf("pushed without a login:\n%s", out)
	}
	// Whoever is logged in as somebody else may pull it as well.
	d.must(t, "", "rmi", ref)
	d.must(t, "bob-token", "login", "-u", "_", "--password-stdin", w.host)
	d.must(t, "", "pull", ref)
}

// TestWhatIsOpenOpensNothingElse asks for all the rest without a token and with the
// one that everybody gets.
func TestWhatIsOpenOpensNothingElse(t *testing.T) {
	w := newFixture(t)
	img := image(t)
	w.push(t, "hello/web:latest", img)
	w.push(t, "hello/web:v1", img)
	w.set(renga.App{ID: "app-other", Name: "other", Owner: "alice"})
	w.push(t, "other/web:v1", img)
	w.open()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	layer, manifest := digestOf(t, layers[0]), digestOf(t, img)
	for _, header := range []http.Header{nil, {"Authorization": {"Bearer anonymous"}}} {
		for _, row := range []struct {
			method, path string
			status       int
		}{
			{"GET", "/v2/hello/web/manifests/v1", 200},
			{"HEAD", "/v2/hello/web/manifests/latest", 200},
			{"GET", "/v2/hello/manifests/" + manifest, 200},
			{"GET", "/v2/hello/web/blobs/" + layer, 200},
			{"GET", "/v2/", 401},
			{"GET", "/v2/_catalog", 401},
			{"GET", "/v2/hello/web/tags/list", 401},
			{"GET", "/v2/hello/releases/manifests/v1", 401},
			{"GET", "/v2/hello/releases/blobs/" + layer, 401},
			{"POST", "/v2/hello/web/blobs/uploads/", 401},
			{"POST", "/v2/hello/web/blobs/uploads/?mount=" + layer + "&from=hello/worker", 401},
			{"PUT", "/v2/hello/web/manifests/v2", 401},
			{"DELETE", "/v2/hello/web/manifests/v1", 401},
			{"GET", "/v2/hello/web/blobs/uploads/00000000-0000-0000-0000-000000000000", 401},
			{"GET", "/v2/other/web/manifests/v1", 401}, // as one that does not exist
			{"GET", "/v2/other/web/blobs/" + layer, 401},
			{"GET", "/v2/nobody/web/manifests/v1", 401},
			{"GET", "/v2/nobody/web/blobs/" + layer, 401},
		} {
			res, body := w.do(t, "", row.method, row.path, header.Clone(), nil)
			if res.StatusCode != row.status {
				t.Errorf("%s %s with %v: %d %s, want %d", row.method, row.path, header, res.StatusCode, body, row.status)
			}
		}
	}
	strange, _ := w.do(t, "", "GET", "/v2/other/web/manifests/v1", nil, nil)
	absent, _ := w.do(t, "", "GET", "/v2/nobody/web/manifests/v1", nil, nil)
	strange.Header.Del("Date")
	absent.Header.Del("Date")
	if a, b := fmt.Sprint(strange.Header), strings.ReplaceAll(fmt.Sprint(absent.Header), "nobody", "other"); a != b {
		t.Errorf("an app of others answers %s, and none %s", a, b)
	}
	if strings.Contains(w.log.String(), "action=") && strings.Contains(w.log.String(), `account="" `) {
		t.Errorf("nobody changed something:\n%s", w.log)
	}
}

// TestTheTokenIsTheOneThatWasShown: a client that follows the challenge gets what it
// came with, and nothing that opens more.
func TestTheTokenIsTheOneThatWasShown(t *testing.T) {
	w := newFixture(t)
	for shown, want := range map[string]string{"alice-token": "alice-token", "": "anonymous"} {
		res, body := w.do(t, shown, "GET", "/v2/token?scope=repository:hello/web:pull,push&service=x", nil, nil)
		var got struct{ Token string }
		if err := json.Unmarshal([]byte(body), &got); err != nil || got.Token != want || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q: %d %s, want %q", shown, res.StatusCode, body, want)
		}
	}
	res, _ := w.do(t, "", "PUT", "/v2/hello/web/manifests/v1", http.Header{"X-Forwarded-Proto": {"https"}}, nil)
	want := fmt.Sprintf(`Bearer realm="https://%s/v2/token",service="%s",scope="repository:hello/web:pull,push"`, w.host, w.host)
	if got := res.Header.Get("WWW-Authenticate"); got != want {
		t.Errorf("the challenge is %s, want %s", got, want)
	}
}

// TestAMountCrossesNoBorder: a blob of an app that one may not read answers as one
// that nobody has, and no mount finds it.
func TestAMountCrossesNoBorder(t *testing.T) {
	w := newFixture(t)
	img := image(t)
	w.push(t, "hello/web:latest", img)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	there, nowhere := digestOf(t, layers[0]), "sha256:"+strings.Repeat("0", 64)
	answer := func(method, path string) string {
		res, body := w.do(t, "bob-token", method, path, nil, nil)
		names := []string{}
		for name := range res.Header {
			names = append(names, name)
		}
		slices.Sort(names)
		body = strings.ReplaceAll(body, there, nowhere)
		return fmt.Sprint(res.StatusCode, names, body)
	}
	for _, ask := range [][2]string{
		{"POST", "/v2/other/web/blobs/uploads/?from=hello/web&mount="}, {"POST", "/v2/other/web/blobs/uploads/?mount="},
		{"POST", "/v2/other/web/blobs/uploads/?from=hello/releases&mount="}, {"HEAD", "/v2/hello/web/blobs/"},
		{"GET", "/v2/hello/web/blobs/"}, {"HEAD", "/v2/other/web/blobs/"}, {"GET", "/v2/other/web/blobs/"},
	} {
		if a, b := answer(ask[0], ask[1]+there), answer(ask[0], ask[1]+nowhere); a != b {
			t.Errorf("%s %s: %s for a blob of others, and %s for none", ask[0], ask[1], a, b)
		}
	}
	if got := answer("HEAD", "/v2/other/web/blobs/"+there); !strings.HasPrefix(got, "404") {
		t.Errorf("after the mounts other has the blob: %s", got)
	}
	// A manifest that names it opens it no more than a mount does.
	if err := remote.Write(w.ref(t, "hello/web:latest"), img, as("bob-token")...); err == nil {
		t.Error("pushed to an app of others")
	}
	raw, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	mediaType, err := img.MediaType()
	if err != nil {
		t.Fatal(err)
	}
	w.do(t, "bob-token", "PUT", "/v2/other/web/manifests/v1", http.Header{"Content-Type": {string(mediaType)}}, raw)
	if got := answer("GET", "/v2/other/web/blobs/"+there); !strings.HasPrefix(got, "404") {
		t.Errorf("a manifest opens a blob of others: %s", got)
	}
}

// TestPushesAndDeletesAreAudited with digest, who, by which token, and from where.
func TestPushesAndDeletesAreAudited(t *testing.T) {
	w := newFixture(t)
	img := image(t)
	w.push(t, "hello/web:v1", img)
	if res, body := w.do(t, "alice-token", "DELETE", "/v2/hello/web/manifests/v1", nil, nil); res.StatusCode != http.StatusAccepted {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	w.do(t, "bob-token", "DELETE", "/v2/hello/web/manifests/v1", nil, nil)
	w.do(t, "alice-token", "DELETE", "/v2/hello/web/manifests/v1", nil, nil) // is gone
	var lines []string
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, "msg=audit") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 2 {
		t.Fatalf("audited %q", lines)
	}
	for i, action := range []string{"manifest pushed", "tag deleted"} {
		for _, part := range []string{
			`action="` + action + `"`, "app=hello", "process=web", "reference=v1", "digest=" + digestOf(t, img), "account=alice",
			"from=127.0.0.1",
		} {
			if !strings.Contains(lines[i], part) {
				t.Errorf("%q lacks %q", lines[i], part)
			}
		}
	}
	if w.fakeDirectory.shown.From != "127.0.0.1" || w.fakeDirectory.shown.User != "anybody" {
		t.Errorf("tries are counted for %+v", w.fakeDirectory.shown)
	}
}
