package apps_test

import (
	"net/http"
	"testing"

	"renga/api/wire/wiretest"
)

func TestCollaborators(t *testing.T) {
	run(t, []scenario{
		{Name: "list", Prepare: wiretest.Share, URL: "/apps/shared/collaborators", Has: []string{
			`"role":"owner","updated_at":"2026-01-02T03:04:05Z","user":{"email":"bob@example.com"`,
			`"role":"collaborator","updated_at":"2026-01-02T03:04:05Z","user":{"email":"ada@example.com"`,
		}},
		{
			Name: "list of one's own", URL: "/apps/hello/collaborators",
			Has: []string{`"name":"manage"}`, `"role":"owner"`}, HasNot: []string{"bob@"},
		},
		{
			Name: "info by email in another case", Prepare: wiretest.Share,
			URL: "/apps/shared/collaborators/ADA@example.com", Has: []string{wiretest.SharingID},
			HasNot: []string{`"manage"`},
		},
		{
			Name: "info by id", Prepare: wiretest.Share, URL: "/apps/shared/collaborators/" + wiretest.SharingID,
			Has: []string{"ada@"},
		},
		{
			Name: "info of a stranger", Prepare: wiretest.Share, URL: "/apps/hello/collaborators/bob@example.com",
			Status: 404, Has: []string{`"resource":"collaborator"`},
		},
		{Name: "add", Method: "POST", URL: "/apps/hello/collaborators", Body: `{"user":"bob@example.com"}`, Status: 201,
			Has: []string{
				`"name":"deploy"`, `"name":"operate"`, `"name":"view"`, `"role":"collaborator"`,
			}, HasNot: []string{`"manage"`}, After: wiretest.Audited("collaborator added")},
		{
			Name: "add by id, to look only", Method: "POST", URL: "/apps/hello/collaborators",
			Body: `{"user":"` + string(wiretest.Bob.ID) + `","permissions":["view"]}`, Status: 201,
			Has: []string{`"name":"view"`, "bob@"}, HasNot: []string{"deploy"},
		},
		{
			Name: "add twice", Prepare: wiretest.Share, Headers: wiretest.AsBob, Method: "POST",
			URL: "/apps/shared/collaborators", Body: `{"user":"ada@example.com"}`, Status: 422,
			Has: []string{"already a collaborator"},
		},
		{
			Name: "add the owner", Method: "POST", URL: "/apps/hello/collaborators",
			Body: `{"user":"ada@example.com"}`, Status: 422, Has: []string{"already a collaborator"},
		},
		{
			Name: "add nobody", Method: "POST", URL: "/apps/hello/collaborators",
			Body: `{"user":"nobody@example.com"}`, Status: 404, Has: []string{`"resource":"user"`},
		},
		{Name: "add without a user", Method: "POST", URL: "/apps/hello/collaborators", Body: `{}`, Status: 422},
		{
			Name: "add with a permission that is none", Method: "POST", URL: "/apps/hello/collaborators",
			Body: `{"user":"bob@example.com","permissions":["fly"]}`, Status: 422,
			Has: []string{`Permission \"fly\" does not exist`},
		},
		{
			Name: "add to a shared one", Prepare: wiretest.Share, Method: "POST", URL: "/apps/shared/collaborators",
			Body: `{"user":"bob@example.com"}`, Status: 403, Has: []string{asked},
		},
		{
			Name: "remove", Prepare: wiretest.Share, Headers: wiretest.AsBob, Method: "DELETE",
			URL: "/apps/shared/collaborators/ada@example.com", Has: []string{wiretest.SharingID}, After: gone,
		},
		{
			Name: "leave", Prepare: wiretest.Share, Method: "DELETE",
			URL: "/apps/shared/collaborators/ada@example.com", After: wiretest.Audited("collaborator removed"),
		},
		{
			Name: "remove the owner", Prepare: wiretest.Share, Headers: wiretest.AsBob, Method: "DELETE",
			URL: "/apps/shared/collaborators/bob@example.com", Status: 422,
		},
		{
			Name: "remove the owner as a collaborator", Prepare: wiretest.Share, Method: "DELETE",
			URL: "/apps/shared/collaborators/bob@example.com", Status: 422,
		},
		{Name: "list of another's", URL: "/apps/other/collaborators", Status: 403},
	})
}

func gone(t *testing.T, r *fixture, _ *http.Response) {
	t.Helper()
	if res, _ := r.Ask("GET", "/apps/shared", "", nil); res.StatusCode != http.StatusForbidden {
		t.Errorf("who was removed gets %d", res.StatusCode)
	}
}
