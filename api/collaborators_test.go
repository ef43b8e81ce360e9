package api_test

import (
	"net/http"
	"strings"
	"testing"

	"renga"
)

const asked = `You need to have manage permission on this app.`

func TestCollaborators(t *testing.T) {
	run(t, []scenario{
		{name: "list", prepare: share, url: "/apps/shared/collaborators", has: []string{
			`"role":"owner","updated_at":"2026-01-02T03:04:05Z","user":{"email":"bob@example.com"`,
			`"role":"collaborator","updated_at":"2026-01-02T03:04:05Z","user":{"email":"ada@example.com"`,
		}},
		{name: "list of one's own", url: "/apps/hello/collaborators", has: []string{`"name":"manage"}`, `"role":"owner"`}, hasNot: []string{"bob@"}},
		{name: "info by email in another case", prepare: share, url: "/apps/shared/collaborators/ADA@example.com", has: []string{sharingID}, hasNot: []string{`"manage"`}},
		{name: "info by id", prepare: share, url: "/apps/shared/collaborators/" + sharingID, has: []string{"ada@"}},
		{name: "info of a stranger", prepare: share, url: "/apps/hello/collaborators/bob@example.com", status: 404, has: []string{`"resource":"collaborator"`}},
		{name: "add", method: "POST", url: "/apps/hello/collaborators", body: `{"user":"bob@example.com"}`, status: 201,
			has: []string{`"name":"deploy"`, `"name":"operate"`, `"name":"view"`, `"role":"collaborator"`}, hasNot: []string{`"manage"`}, after: audited("collaborator added")},
		{name: "add by id, to look only", method: "POST", url: "/apps/hello/collaborators", body: `{"user":"` + string(bob.ID) + `","permissions":["view"]}`, status: 201, has: []string{`"name":"view"`, "bob@"}, hasNot: []string{"deploy"}},
		{name: "add twice", prepare: share, headers: asBob, method: "POST", url: "/apps/shared/collaborators", body: `{"user":"ada@example.com"}`, status: 422, has: []string{"already a collaborator"}},
		{name: "add the owner", method: "POST", url: "/apps/hello/collaborators", body: `{"user":"ada@example.com"}`, status: 422, has: []string{"already a collaborator"}},
		{name: "add nobody", method: "POST", url: "/apps/hello/collaborators", body: `{"user":"nobody@example.com"}`, status: 404, has: []string{`"resource":"user"`}},
		{name: "add without a user", method: "POST", url: "/apps/hello/collaborators", body: `{}`, status: 422},
		{name: "add with a permission that is none", method: "POST", url: "/apps/hello/collaborators", body: `{"user":"bob@example.com","permissions":["fly"]}`, status: 422, has: []string{`Permission \"fly\" does not exist`}},
		{name: "add to a shared one", prepare: share, method: "POST", url: "/apps/shared/collaborators", body: `{"user":"bob@example.com"}`, status: 403, has: []string{asked}},
		{name: "remove", prepare: share, headers: asBob, method: "DELETE", url: "/apps/shared/collaborators/ada@example.com", has: []string{sharingID}, after: gone},
		{name: "leave", prepare: share, method: "DELETE", url: "/apps/shared/collaborators/ada@example.com", after: audited("collaborator removed")},
		{name: "remove the owner", prepare: share, headers: asBob, method: "DELETE", url: "/apps/shared/collaborators/bob@example.com", status: 422},
		{name: "remove the owner as a collaborator", prepare: share, method: "DELETE", url: "/apps/shared/collaborators/bob@example.com", status: 422},
		{name: "list of another's", url: "/apps/other/collaborators", status: 403},
	})
}

func gone(t *testing.T, r *rig, _ *http.Response) {
	t.Helper()
	if res, _ := r.ask("GET", "/apps/shared", "", nil); res.StatusCode != http.StatusForbidden {
		t.Errorf("who was removed gets %d", res.StatusCode)
	}
}

func TestWhatCollaboratorsMay(t *testing.T) {
	run(t, []scenario{
		{name: "look", prepare: share, url: "/apps/shared", has: []string{`"owner":{"email":"bob@example.com"`}},
		{name: "see it among all", prepare: share, url: "/apps", has: []string{`"name":"shared"`, `"name":"hello"`, "bob@", "ada@"}},
		{name: "see it among their own", prepare: share, url: "/users/~/apps", has: []string{`"name":"shared"`}},
		{name: "configure", prepare: share, method: "PATCH", url: "/apps/shared/config-vars", body: `{"A":"b"}`, has: []string{`{"A":"b"}`}},
		{name: "scale", prepare: share, method: "PATCH", url: "/apps/shared/formation/web", body: `{"quantity":0}`, has: []string{`"app":{"id":"` + string(shared), `"quantity":0`}},
		{name: "switch maintenance", prepare: share, method: "PATCH", url: "/apps/shared", body: `{"maintenance":true}`, has: []string{`"maintenance":true`, `"name":"shared"`}},
		{name: "not rename", prepare: share, method: "PATCH", url: "/apps/shared", body: `{"name":"mine"}`, status: 403, has: []string{asked}},
		{name: "not delete", prepare: share, method: "DELETE", url: "/apps/shared", status: 403, has: []string{`"id":"forbidden"`, asked}},
		{name: "only look, when that is all", prepare: viewOnly, method: "PATCH", url: "/apps/shared/config-vars", body: `{"A":"b"}`, status: 403, has: []string{"operate permission"}},
	})
}

func viewOnly(w *world) {
	share(w)
	w.apps[shared].Collaborators[ada.ID] = with(ada, renga.MayView)[ada.ID]
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
			res, body := newRig(nil).ask(row.method, row.url, row.body, header("Authorization", "Bearer ada-token/"+row.scope))
			if res.StatusCode != want || strings.Contains(body, none) != (want == 403) {
				t.Errorf("%s %s with %s gets %d, want %d: %s", row.method, row.url, row.scope, res.StatusCode, want, body)
			}
		}
	}
}
