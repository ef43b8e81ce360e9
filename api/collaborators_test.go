package api_test

import (
	"net/http"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

const asked = `You need to have manage permission on this app.`

func TestCollaborators(t *testing.T) {
	run(t, []scenario{
		{Name: "list", Prepare: wiretest.Share, URL: "/apps/shared/collaborators", Has: []string{
			`"role":"owner","updated_at":"2026-01-02T03:04:05Z","user":{"email":"bob@example.com"`,
			`"role":"collaborator","updated_at":"2026-01-02T03:04:05Z","user":{"email":"ada@example.com"`,
		}},
		{Name: "list of one's own", URL: "/apps/hello/collaborators", Has: []string{`"name":"manage"}`, `"role":"owner"`}, HasNot: []string{"bob@"}},
		{Name: "info by email in another case", Prepare: wiretest.Share, URL: "/apps/shared/collaborators/ADA@example.com", Has: []string{wiretest.SharingID}, HasNot: []string{`"manage"`}},
		{Name: "info by id", Prepare: wiretest.Share, URL: "/apps/shared/collaborators/" + wiretest.SharingID, Has: []string{"ada@"}},
		{Name: "info of a stranger", Prepare: wiretest.Share, URL: "/apps/hello/collaborators/bob@example.com", Status: 404, Has: []string{`"resource":"collaborator"`}},
		{Name: "add", Method: "POST", URL: "/apps/hello/collaborators", Body: `{"user":"bob@example.com"}`, Status: 201,
			Has: []string{`"name":"deploy"`, `"name":"operate"`, `"name":"view"`, `"role":"collaborator"`}, HasNot: []string{`"manage"`}, After: wiretest.Audited("collaborator added")},
		{Name: "add by id, to look only", Method: "POST", URL: "/apps/hello/collaborators", Body: `{"user":"` + string(wiretest.Bob.ID) + `","permissions":["view"]}`, Status: 201, Has: []string{`"name":"view"`, "bob@"}, HasNot: []string{"deploy"}},
		{Name: "add twice", Prepare: wiretest.Share, Headers: wiretest.AsBob, Method: "POST", URL: "/apps/shared/collaborators", Body: `{"user":"ada@example.com"}`, Status: 422, Has: []string{"already a collaborator"}},
		{Name: "add the owner", Method: "POST", URL: "/apps/hello/collaborators", Body: `{"user":"ada@example.com"}`, Status: 422, Has: []string{"already a collaborator"}},
		{Name: "add nobody", Method: "POST", URL: "/apps/hello/collaborators", Body: `{"user":"nobody@example.com"}`, Status: 404, Has: []string{`"resource":"user"`}},
		{Name: "add without a user", Method: "POST", URL: "/apps/hello/collaborators", Body: `{}`, Status: 422},
		{Name: "add with a permission that is none", Method: "POST", URL: "/apps/hello/collaborators", Body: `{"user":"bob@example.com","permissions":["fly"]}`, Status: 422, Has: []string{`Permission \"fly\" does not exist`}},
		{Name: "add to a shared one", Prepare: wiretest.Share, Method: "POST", URL: "/apps/shared/collaborators", Body: `{"user":"bob@example.com"}`, Status: 403, Has: []string{asked}},
		{Name: "remove", Prepare: wiretest.Share, Headers: wiretest.AsBob, Method: "DELETE", URL: "/apps/shared/collaborators/ada@example.com", Has: []string{wiretest.SharingID}, After: gone},
		{Name: "leave", Prepare: wiretest.Share, Method: "DELETE", URL: "/apps/shared/collaborators/ada@example.com", After: wiretest.Audited("collaborator removed")},
		{Name: "remove the owner", Prepare: wiretest.Share, Headers: wiretest.AsBob, Method: "DELETE", URL: "/apps/shared/collaborators/bob@example.com", Status: 422},
		{Name: "remove the owner as a collaborator", Prepare: wiretest.Share, Method: "DELETE", URL: "/apps/shared/collaborators/bob@example.com", Status: 422},
		{Name: "list of another's", URL: "/apps/other/collaborators", Status: 403},
	})
}

func gone(t *testing.T, r *rig, _ *http.Response) {
	t.Helper()
	if res, _ := r.Ask("GET", "/apps/shared", "", nil); res.StatusCode != http.StatusForbidden {
		t.Errorf("who was removed gets %d", res.StatusCode)
	}
}

func TestWhatCollaboratorsMay(t *testing.T) {
	run(t, []scenario{
		{Name: "look", Prepare: wiretest.Share, URL: "/apps/shared", Has: []string{`"owner":{"email":"bob@example.com"`}},
		{Name: "see it among all", Prepare: wiretest.Share, URL: "/apps", Has: []string{`"name":"shared"`, `"name":"hello"`, "bob@", "ada@"}},
		{Name: "see it among their own", Prepare: wiretest.Share, URL: "/users/~/apps", Has: []string{`"name":"shared"`}},
		{Name: "configure", Prepare: wiretest.Share, Method: "PATCH", URL: "/apps/shared/config-vars", Body: `{"A":"b"}`, Has: []string{`{"A":"b"}`}},
		{Name: "scale", Prepare: wiretest.Share, Method: "PATCH", URL: "/apps/shared/formation/web", Body: `{"quantity":0}`, Has: []string{`"app":{"id":"` + string(wiretest.Shared), `"quantity":0`}},
		{Name: "switch maintenance", Prepare: wiretest.Share, Method: "PATCH", URL: "/apps/shared", Body: `{"maintenance":true}`, Has: []string{`"maintenance":true`, `"name":"shared"`}},
		{Name: "not rename", Prepare: wiretest.Share, Method: "PATCH", URL: "/apps/shared", Body: `{"name":"mine"}`, Status: 403, Has: []string{asked}},
		{Name: "not delete", Prepare: wiretest.Share, Method: "DELETE", URL: "/apps/shared", Status: 403, Has: []string{`"id":"forbidden"`, asked}},
		{Name: "only look, when that is all", Prepare: viewOnly, Method: "PATCH", URL: "/apps/shared/config-vars", Body: `{"A":"b"}`, Status: 403, Has: []string{"operate permission"}},
	})
}

func viewOnly(w *wiretest.World) {
	wiretest.Share(w)
	w.Apps[wiretest.Shared].Collaborators[wiretest.Ada.ID] = wiretest.With(wiretest.Ada, renga.MayView)[wiretest.Ada.ID]
}

func TestScopes(t *testing.T) {
	const none = "The scope of this OAuth authorization does not allow access to this resource"
	type row struct{ scope, method, url, body string }
	for want, rows := range map[int][]row{
		200: {
			{"identity", "GET", "/account", ""},
			{"read", "GET", "/apps", ""},
			{"read", "GET", "/apps/hello/releases", ""},
			{"read", "GET", "/regions", ""},
			{"write", "PATCH", "/apps/hello", `{"maintenance":true}`},
			{"write", "GET", "/apps/hello", ""},
			{"read-protected", "GET", "/apps/hello/config-vars", ""},
			{"read-protected", "GET", "/apps/hello/releases/3/config-vars", ""},
			{"read-protected", "GET", "/apps", ""},
			{"write-protected", "PATCH", "/apps/hello/config-vars", `{"A":"b"}`},
			{"write-protected", "GET", "/apps/hello/config-vars", ""},
			{"write-protected", "PATCH", "/apps/hello", `{"maintenance":true}`},
		},
		403: {
			{"identity", "GET", "/apps", ""},
			{"identity", "GET", "/apps/hello", ""},
			{"identity", "POST", "/apps", `{}`},
			{"read", "GET", "/account", ""},
			{"read", "GET", "/users/~", ""},
			{"read", "GET", "/apps/hello/config-vars", ""},
			{"read", "GET", "/apps/hello/releases/3/config-vars", ""},
			{"read", "PATCH", "/apps/hello", `{"maintenance":true}`},
			{"read", "GET", "/apps/nowhere/config-vars", ""},
			{"write", "GET", "/apps/hello/config-vars", ""},
			{"write", "PATCH", "/apps/hello/config-vars", `{"A":"b"}`},
			{"write", "GET", "/account", ""},
			{"read-protected", "PATCH", "/apps/hello/config-vars", `{"A":"b"}`},
			{"read-protected", "DELETE", "/apps/hello", ""},
		},
	} {
		for _, row := range rows {
			res, body := newRig(nil).Ask(row.method, row.url, row.body, wiretest.Header("Authorization", "Bearer ada-token/"+row.scope))
			if res.StatusCode != want || strings.Contains(body, none) != (want == 403) {
				t.Errorf("%s %s with %s gets %d, want %d: %s", row.method, row.url, row.scope, res.StatusCode, want, body)
			}
		}
	}
}
