package registry_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"renga"
	"renga/registry"
)

func TestWhoMayDoWhat(t *testing.T) {
	w := newFixture(t)
	w.push(t, "hello/web:latest", image(t))
	shared := renga.App{ID: "app-hello", Name: "hello", Owner: "alice",
		Collaborators: map[renga.AccountID]renga.Collaborator{
			"carol": {Permissions: []renga.Permission{renga.MayDeploy, renga.MayOperate, renga.MayView}},
			"dave":  {Permissions: []renga.Permission{renga.MayView}},
		}}
	w.set(shared)
	w.set(renga.App{ID: "app-dying", Name: "dying", Owner: "alice", Deleting: true})
	const manifest, upload = "/manifests/latest", "/blobs/uploads/"
	for _, row := range []struct {
		token, method, path string
		status              int
		code                string
	}{
		{"", "GET", "/v2/", 401, "UNAUTHORIZED"},
		{"wrong", "GET", "/v2/", 401, "UNAUTHORIZED"},
		{"", "GET", "/v2/Bad Name/web" + manifest, 401, "UNAUTHORIZED"},
		{"alice-token", "GET", "/v2/", 200, ""},
		{"pull-secret", "GET", "/v2/", 200, ""},
		{"alice-token", "GET", "/v2/hello/web" + manifest, 200, ""},
		{"alice-token", "GET", "/v2/hello" + manifest, 200, ""},
		{"alice-token", "HEAD", "/v2/hello/web" + manifest, 200, ""},
		{"alice-token", "GET", "/v2/hello/web/tags/list", 200, ""},
		{"pull-secret", "GET", "/v2/hello/web" + manifest, 200, ""},
		{"pull-secret", "GET", "/v2/nobody/web" + manifest, 404, "MANIFEST_UNKNOWN"},
		{"pull-secret", "POST", "/v2/hello/web" + upload, 403, "DENIED"},
		{"pull-secret", "DELETE", "/v2/hello/web" + manifest, 403, "DENIED"},
		{"bob-token", "GET", "/v2/hello/web" + manifest, 403, "DENIED"},
		{"bob-token", "POST", "/v2/hello/web" + upload, 403, "DENIED"},
		{"carol-token", "GET", "/v2/hello/web" + manifest, 200, ""},
		{"carol-token", "POST", "/v2/hello/web" + upload, 202, ""},
		{"carol-token", "POST", "/v2/other/web" + upload, 403, "DENIED"},
		{"dave-token", "GET", "/v2/hello/web" + manifest, 200, ""},
		{"dave-token", "POST", "/v2/hello/web" + upload, 403, "DENIED"},
		{"alice-read-token", "GET", "/v2/", 200, ""},
		{"alice-read-token", "GET", "/v2/hello/web" + manifest, 200, ""},
		{"alice-read-token", "POST", "/v2/hello/web" + upload, 403, "DENIED"},
		{"alice-write-token", "GET", "/v2/hello/web" + manifest, 200, ""},
		{"alice-write-token", "POST", "/v2/hello/web" + upload, 403, "DENIED"},
		{"alice-write-protected-token", "POST", "/v2/hello/web" + upload, 202, ""},
		{"alice-identity-token", "GET", "/v2/hello/web" + manifest, 403, "DENIED"},
		{"alice-identity-token", "POST", "/v2/nobody/web" + upload, 403, "DENIED"},
		{"alice-token", "GET", "/v2/nobody/web" + manifest, 404, "NAME_UNKNOWN"},
		{"alice-token", "POST", "/v2/nobody/web" + upload, 202, ""},
		{"alice-token", "POST", "/v2/dying/web" + upload, 403, "DENIED"},
		{"alice-token", "PUT", "/v2/dying/web" + manifest, 403, "DENIED"},
		{"alice-token", "POST", "/v2/hello/releases" + upload, 403, "DENIED"},
		{"alice-token", "PUT", "/v2/hello/releases/manifests/v1", 403, "DENIED"},
		{"alice-token", "GET", "/v2/hello/releases/manifests/v1", 404, "MANIFEST_UNKNOWN"},
		{"bob-token", "GET", "/v2/hello/releases/manifests/v1", 403, "DENIED"},
		{"", "GET", "/v2/_catalog", 401, "UNAUTHORIZED"},
		{"pull-secret", "GET", "/v2/_catalog", 403, "DENIED"},
		{"alice-identity-token", "GET", "/v2/_catalog", 403, "DENIED"},
		{"alice-token", "GET", "/v2/_catalog?n=many", 400, "PAGINATION_NUMBER_INVALID"},
		{"alice-token", "DELETE", "/v2/_catalog", 405, "UNSUPPORTED"},
		{"wrong", "GET", "/v2/token", 401, "UNAUTHORIZED"},
		{"alice-token", "POST", "/v2/token", 405, "UNSUPPORTED"},
		{"alice-token", "POST", "/v2/a/web" + upload, 403, "DENIED"},
		{"alice-token", "POST", "/v2/Hello/web" + upload, 403, "DENIED"},
		{"alice-token", "POST", "/v2/hello/web/deep" + upload, 403, "DENIED"},
		{"alice-token", "POST", "/v2/api/web" + upload, 403, "DENIED"},
		{"alice-token", "GET", "/v2/hello/web/manifests/sha256:xyz", 400, "DIGEST_INVALID"},
		{"alice-token", "PUT", "/v2/hello/web/manifests/-bad", 400, "TAG_INVALID"},
		{"alice-token", "GET", "/v2/hello/web/blobs/uploads/nonsense", 404, "BLOB_UPLOAD_UNKNOWN"},
		{"alice-token", "GET", "/v2/hello/web/nothing", 404, "UNSUPPORTED"},
		{"alice-token", "GET", "/v2/hello/web/referrers/sha256:" + strings.Repeat("0", 64), 200, ""},
		{"bob-token", "GET", "/v2/hello/web/referrers/sha256:" + strings.Repeat("0", 64), 403, "DENIED"},
		{"alice-token", "DELETE", "/v2/hello/web/manifests/sha256:" + strings.Repeat("0", 64), 404, "MANIFEST_UNKNOWN"},
		{"alice-token", "DELETE", "/v2/hello/web/blobs/sha256:" + strings.Repeat("0", 64), 404, "BLOB_UNKNOWN"},
		{"dave-token", "DELETE", "/v2/hello/web/manifests/sha256:" + strings.Repeat("0", 64), 403, "DENIED"},
		{"alice-read-token", "DELETE", "/v2/hello/web/blobs/sha256:" + strings.Repeat("0", 64), 403, "DENIED"},
		{"pull-secret", "DELETE", "/v2/hello/web/blobs/sha256:" + strings.Repeat("0", 64), 403, "DENIED"},
		{"alice-token", "POST", "/v2/hello/web/referrers/sha256:" + strings.Repeat("0", 64), 405, "UNSUPPORTED"},
		{"alice-token", "DELETE", "/v2/hello/web" + manifest, 202, ""},
		{"alice-token", "GET", "/v2/hello/web" + manifest, 404, "MANIFEST_UNKNOWN"},
	} {
		res, body := w.do(t, row.token, row.method, strings.ReplaceAll(row.path, " ", "%20"), nil, nil)
		if res.StatusCode != row.status {
			t.Errorf("%s %s as %q: %d %s, want %d", row.method, row.path, row.token, res.StatusCode, body, row.status)
			continue
		}
		if row.code != "" && ociCode(t, body) != row.code {
			t.Errorf("%s %s as %q: %s, want %s", row.method, row.path, row.token, body, row.code)
		}
		challenge := res.Header.Get("WWW-Authenticate")
		if strings.HasPrefix(challenge, `Bearer realm="http://`+w.host+`/v2/token"`) != (res.StatusCode == 401) {
			t.Errorf("%s %s: challenge %q", row.method, row.path, challenge)
		}
	}
}

func TestBearerTokenIsAsGoodAsAPassword(t *testing.T) {
	w := newFixture(t)
	for token, status := range map[string]int{"alice-token": 200, "wrong": 401} {
		res, _ := w.do(t, "", "GET", "/v2/", http.Header{"Authorization": {"Bearer " + token}}, nil)
		if res.StatusCode != status {
			t.Errorf("%s: %d", token, res.StatusCode)
		}
	}
}

func TestUnknownAppIsRefusedWhenPushesDoNotCreate(t *testing.T) {
	w := newFixture(t, func(o *registry.Options) { o.CreateOnPush = false })
	err := remote.Write(w.ref(t, "nobody/web:latest"), image(t), as("alice-token")...)
	wantRefusal(t, err, http.StatusForbidden, "DENIED", "There is no app nobody. Create it first")
}

// unavailableDirectory is a Directory whose store does not answer.
type unavailableDirectory struct{}

func (unavailableDirectory) Holder(context.Context, renga.ShownToken) (renga.Bearer, error) {
	return renga.Bearer{}, renga.Errorf(renga.Unavailable, "Redis is away.")
}

func (unavailableDirectory) Apps(context.Context) ([]renga.App, error) {
	return nil, renga.Errorf(renga.Unavailable, "Redis is away.")
}

func (unavailableDirectory) Head(context.Context, renga.AppID) (renga.ReleaseRecord, error) {
	return renga.ReleaseRecord{}, renga.Errorf(renga.Unavailable, "Redis is away.")
}

func (unavailableDirectory) AppByRepository(context.Context, string) (renga.App, error) {
	return renga.App{}, renga.Errorf(renga.Unavailable, "Redis is away.")
}

func TestStoreAwayIs503WithItsSentence(t *testing.T) {
	w := newFixture(t)
	w.push(t, "hello:latest", image(t))
	reg, err := registry.New(w.options, unavailableDirectory{}, w.fakeDirectory)
	if err != nil {
		t.Fatal(err)
	}
	w.reg = reg
	res, body := w.do(t, "alice-token", "GET", "/v2/", nil, nil)
	if res.StatusCode != http.StatusServiceUnavailable || ociCode(t, body) != "UNAVAILABLE" ||
		!strings.Contains(body, "Redis is away.") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	// The dynos' images must come all the same.
	if res, body = w.do(t, "pull-secret", "GET", "/v2/hello/web/manifests/latest", nil,
		nil); res.StatusCode != http.StatusOK {
		t.Errorf("pull by the dyno manager: %d %s", res.StatusCode, body)
	}
}

func TestNoTokenNorUploadStateIsLogged(t *testing.T) {
	w := newFixture(t)
	w.push(t, "hello:latest", image(t))
	w.do(t, "alice-token", "PATCH", "/v2/hello/web/blobs/uploads/00000000-0000-0000-0000-000000000000?_state=marker", nil,
		[]byte("x"))
	for _, secret := range []string{"alice-token", "_state", "marker"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	if strings.Contains(w.log.String(), "level=ERROR") {
		t.Errorf("an ordinary push logs errors:\n%s", w.log)
	}
}

func TestSchema2OnlyClientGetsAnImage(t *testing.T) {
	w := newFixture(t)
	oci := func() remote.Taggable { return ociImage(t) }
	for what, thing := range map[string]remote.Taggable{"schema2": image(t), "oci": oci(), "index": ociIndex(t)} {
		t.Run(what, func(t *testing.T) {
			if err := remote.Push(w.ref(t, "hello/web:latest"), thing, as("alice-token")...); err != nil {
				t.Fatal(err)
			}
			pushes := w.released()
			want := pushes[len(pushes)-1].Images[renga.Web]
			for _, ref := range []string{"latest", want.Pushed, want.Digest} {
				// As Heroku's CLI asks, with no user's name.
				header := http.Header{
					"Accept":        {"application/vnd.docker.distribution.manifest.v2+json"},
					"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(":alice-token"))},
				}
				res, body := w.do(t, "", "GET", "/v2/hello/web/manifests/"+ref, header, nil)
				var m struct{ Config struct{ Digest string } }
				if err := json.Unmarshal([]byte(body), &m); err != nil || m.Config.Digest != want.Config {
					t.Errorf("%s: %d %s", ref, res.StatusCode, body)
				}
				if got := res.Header.Get("Docker-Content-Digest"); got != want.Digest {
					t.Errorf("%s: digest %s, want %s", ref, got, want.Digest)
				}
			}
			for _, accept := range []http.Header{
				nil, {"Accept": {"*/*"}}, {"Accept": {"application/vnd.oci.image.index.v1+json, " + want.Digest}},
			} {
				if res, _ := w.do(t, "alice-token", "GET", "/v2/hello/web/manifests/latest", accept,
					nil); res.Header.Get("Docker-Content-Digest") != want.Pushed {
					t.Errorf("accept %v: %d %s", accept, res.StatusCode, res.Header.Get("Docker-Content-Digest"))
				}
			}
		})
	}
}

// TestAStrangerLearnsNoNewName asks by the name that an app had, in all ways that
// a client has to ask.
func TestAStrangerLearnsNoNewName(t *testing.T) {
	w := newFixture(t)
	w.push(t, "hello/web:latest", image(t))
	w.rename("hello", "secret-plan")
	for _, token := range []string{"bob-token", "bob-read-token", "bob-identity-token", "wrong", ""} {
		for _, ask := range [][2]string{
			{"GET", "/v2/hello/web/manifests/latest"}, {"HEAD", "/v2/hello/web/manifests/latest"},
			{"GET", "/v2/hello/web/tags/list"},
			{"POST", "/v2/hello/web/blobs/uploads/"}, {"PUT", "/v2/hello/web/manifests/latest"},
			{"DELETE", "/v2/hello/web/manifests/latest"},
			{"GET", "/v2/hello/web/blobs/sha256:" + strings.Repeat("0", 64)}, {"GET", "/v2/hello/releases/manifests/v1"},
			{"POST", "/v2/bobs/web/blobs/uploads/?from=hello/web&mount=sha256:" + strings.Repeat("0", 64)},
		} {
			res, body := w.do(t, token, ask[0], ask[1], nil, nil)
			if strings.Contains(body, "secret-plan") || strings.Contains(fmt.Sprint(res.Header), "secret-plan") {
				t.Errorf("%q, %s %s: %d %v %s", token, ask[0], ask[1], res.StatusCode, res.Header, body)
			}
		}
	}
	if res, body := w.do(t, "bob-token", "GET", "/v2/hello/web/manifests/latest", nil,
		nil); res.StatusCode != http.StatusForbidden || !strings.Contains(body, "hello") {
		t.Errorf("the refusal is %d %s", res.StatusCode, body)
	}
}
