package addons_test

import (
	"net/http"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

// carol lets Carol do that with hello, and nothing with shop.
func carol(may ...renga.Permission) func(*wiretest.Seed) {
	return func(s *wiretest.Seed) {
		s.Edit(wiretest.Hello, func(a *renga.App) { a.Collaborators = with(may) })
		s.Edit(wiretest.Shop, func(a *renga.App) { a.Collaborators = nil })
	}
}

// with gives Carol's part in an app; none without a permission.
func with(may []renga.Permission) map[renga.AccountID]renga.Collaborator {
	if len(may) == 0 {
		return nil
	}
	return wiretest.With(wiretest.Carol, may...)
}

// Whoever has nothing to do with an app finds none of its add-ons, by whichever
// name and way.
func TestAForeignAddOnIsNotThere(t *testing.T) {
	const id, name = string(wiretest.BobsCache), "redis-round-54321"
	for _, c := range []struct{ method, url, body string }{
		{"GET", "/addons/" + id, ""}, {"GET", "/addons/" + name, ""},
		{"GET", "/addons/" + name + "/addon-attachments", ""}, {"GET", "/addons/" + id + "/config", ""},
		{"GET", "/addons/" + id + "/config/credential:default", ""},
		{"GET", "/addon-attachments/" + wiretest.AsCache, ""}, {"DELETE", "/addon-attachments/" + wiretest.AsCache, ""},
		{"GET", "/apps/hello/addons/" + id, ""}, {"DELETE", "/apps/hello/addons/" + id, `{"force":true}`},
		{"PATCH", "/apps/hello/addons/" + name, `{"name":"stolen"}`},
		{"POST", "/addons/" + id + "/actions/rotate", ""},
		{"POST", "/addon-attachments", `{"addon":"` + id + `","app":"hello","name":"STOLEN"}`},
		{"POST", "/addon-attachments", `{"addon":{"name":"` + name + `"},"app":{"name":"hello"},"confirm":"hello"}`},
		{"POST", "/actions/addons/resolve", `{"addon":"` + id + `","app":null}`},
		{"POST", "/actions/addons/resolve", `{"addon":"heroku-redis","app":"shop"}`},
		{"POST", "/actions/addon-attachments/resolve", `{"addon_attachment":"` + wiretest.AsCache + `","app":null}`},
		{"POST", "/actions/addon-attachments/resolve", `{"addon_attachment":"` + wiretest.AsCache + `","app":"hello"}`},
	} {
		scenario{
			Name: c.url, Method: c.method, URL: c.url, Body: c.body, Status: 404,
			HasNot: []string{`"other"`, "STOLEN", wiretest.Marker},
		}.Play(t, newFixture())
	}
	for _, url := range []string{"/addons", "/addon-attachments", "/users/~/addons"} {
		scenario{URL: url, HasNot: []string{name, id, wiretest.AsCache}}.Play(t, newFixture())
		scenario{
			URL: url, Headers: wiretest.AsBob, HasNot: []string{"postgresql-curved-12345", wiretest.AsDatabase},
			Has: []string{id},
		}.Play(t, newFixture())
	}
	for _, body := range []string{`{"addon":"x","app":"other"}`, `{"addon":"other::REDIS","app":null}`} {
		scenario{Method: "POST", URL: "/actions/addons/resolve", Body: body, Status: 403}.Play(t, newFixture())
	}
}

// Attaching takes what an add-on's own app takes, and what the app that gets it
// does.
func TestWhoMayAttach(t *testing.T) {
	body := func(addOn, app string) string { return `{"addon":"` + addOn + `","app":"` + app + `","name":"MINE"}` }
	for _, c := range []struct {
		name, addOn, app, token string
		may                     []renga.Permission
		status                  int
	}{
		{"to one's own app, without a right to operate the add-on's", "postgresql-curved-12345", "carols", "carol-token",
			[]renga.Permission{renga.MayView, renga.MayDeploy}, 403},
		{"to one's own app, with it", "postgresql-curved-12345", "carols", "carol-token",
			[]renga.Permission{renga.MayView, renga.MayOperate}, 201},
		{"with a token that reads no secrets", "postgresql-curved-12345", "carols", "carol-token/write",
			[]renga.Permission{renga.MayView, renga.MayOperate}, 403},
		{"to another's app", "redis-flat-11111", "other", "ada-token", nil, 403},
		{"to an app that one may only deploy", "redis-flat-11111", "carols", "ada-token", nil, 403},
	} {
		f := newFixture(carol(c.may...), func(s *wiretest.Seed) {
			s.AddApp(renga.App{
				ID: "20000000-0000-4000-8000-000000000077", Name: "carols", Owner: wiretest.Carol.ID,
				Collaborators: wiretest.With(wiretest.Ada, renga.MayView, renga.MayDeploy),
			})
		})
		scenario{
			Method: "POST", URL: "/addon-attachments", Body: body(c.addOn, c.app), Status: c.status,
			Headers: wiretest.Bearer(c.token), HasNot: []string{wiretest.Marker},
		}.Play(t, f)
	}
}

// Who sees an add-on because an app has it attached sees nothing else of it, and
// changes nothing.
func TestAnAttachmentGivesNoRightToTheAddOn(t *testing.T) {
	viaShop := func() *fixture {
		return newFixture(carol(), func(s *wiretest.Seed) {
			s.Edit(wiretest.Shop, func(a *renga.App) {
				a.Collaborators = with([]renga.Permission{renga.MayView, renga.MayDeploy, renga.MayOperate})
			})
		})
	}
	asCarol := wiretest.Bearer("carol-token")
	for _, sc := range []scenario{
		{URL: "/addons/postgresql-curved-12345", Has: []string{`"name":"hello"`}, HasNot: []string{wiretest.Marker}},
		{URL: "/addon-attachments", Has: []string{"LEDGER"}, HasNot: []string{"DATABASE"}},
		{URL: "/addons/postgresql-curved-12345/addon-attachments", Has: []string{"LEDGER"}, HasNot: []string{"DATABASE"}},
		{URL: "/addon-attachments/" + wiretest.AsDatabase, Status: 404},
		{URL: "/addons", HasNot: []string{"redis-flat-11111"}},
		{URL: "/addons/postgresql-curved-12345/config", Status: 403},
		{Method: "POST", URL: "/addons/postgresql-curved-12345/actions/rotate", Status: 403},
		{Method: "PATCH", URL: "/apps/shop/addons/postgresql-curved-12345", Body: `{"name":"mine"}`, Status: 422},
		{Method: "DELETE", URL: "/apps/shop/addons/postgresql-curved-12345", Body: `{"force":true}`, Status: 422},
		{Method: "DELETE", URL: "/apps/hello/addons/postgresql-curved-12345", Body: `{"force":true}`, Status: 403},
		{Method: "DELETE", URL: "/addon-attachments/" + wiretest.AsDatabase, Status: 404},
		{Method: "POST", URL: "/addon-attachments", Body: `{"addon":"postgresql-curved-12345","app":"shop","name":"MORE"}`,
			Status: 403},
		{Method: "DELETE", URL: "/addon-attachments/" + wiretest.AsLedger, Has: []string{"LEDGER"}}, // that it may
	} {
		sc.Headers = asCarol
		sc.Play(t, viaShop())
	}
}

// The secrets of an add-on take the right to them, and a token that reads secrets.
func TestWhoReadsTheConfigOfAnAddOn(t *testing.T) {
	for _, c := range []struct {
		token  string
		may    []renga.Permission
		status int
	}{
		{"carol-token", []renga.Permission{renga.MayView}, 403},
		{"carol-token", []renga.Permission{renga.MayView, renga.MayDeploy}, 200},
		{"carol-token", []renga.Permission{renga.MayView, renga.MayOperate}, 200},
		{"carol-token/read", []renga.Permission{renga.MayView, renga.MayOperate}, 403},
		{"carol-token/write", []renga.Permission{renga.MayView, renga.MayOperate}, 403},
		{"carol-token/read-protected", []renga.Permission{renga.MayView, renga.MayOperate}, 200},
		{"ada-token/read", nil, 403},
	} {
		f := newFixture(carol(c.may...))
		res, body := f.Ask("GET", "/addons/postgresql-curved-12345/config", "", wiretest.Bearer(c.token))
		if res.StatusCode != c.status || strings.Contains(body, wiretest.Marker) != (c.status == 200) {
			t.Errorf("%s with %v gets %d, want %d: %s", c.token, c.may, res.StatusCode, c.status, body)
		}
	}
	for _, token := range []string{"ada-token/write", "ada-token/read-protected", "carol-token"} {
		f := newFixture(carol(renga.MayView, renga.MayDeploy))
		scenario{
			Method: "POST", URL: "/addons/postgresql-curved-12345/actions/rotate", Status: http.StatusForbidden,
			Headers: wiretest.Bearer(token),
		}.Play(t, f)
	}
}

// An app that is being deleted has no add-ons any more.
func TestADeletedAppsAddOnsAreNotThere(t *testing.T) {
	f := newFixture()
	if _, err := f.DB.UpdateApp(t.Context(), wiretest.Hello, func(a *renga.App) error {
		a.Deleting = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"/addons/redis-flat-11111", "/apps/hello/addons", "/addons/redis-flat-11111/config"} {
		if res, body := f.Ask("GET", url, "", nil); res.StatusCode != 404 {
			t.Errorf("%s gets %d: %s", url, res.StatusCode, body)
		}
	}
	scenario{
		Method: "POST", URL: "/addon-attachments", Status: 404,
		Body: `{"addon":"postgresql-curved-12345","app":"shop","name":"MORE"}`,
	}.Play(t, f)
}
