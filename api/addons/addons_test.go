package addons_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

// The paths of what every fixture has.
const (
	database = "/apps/hello/addons/postgresql-curved-12345"
	own      = "/apps/hello/addons/redis-flat-11111"
)

// expanded asks for services and plans whole, as the official CLI does.
var expanded = map[string]string{
	"Accept": "application/vnd.heroku+json; version=3.sdk", "Accept-Expansion": "addon_service,plan",
}

func TestServicesAndPlansAreTheCataloguesOwn(t *testing.T) {
	run(t, []scenario{
		{
			Name: "services", URL: "/addon-services",
			Has: []string{`"name":"heroku-postgresql"`, `"human_name":"Heroku Key-Value Store"`, `"state":"ga"`},
		},
		{Name: "by alias", URL: "/addon-services/postgresql", Has: []string{`"name":"heroku-postgresql"`}},
		{
			Name: "unknown", URL: "/addon-services/mongolab", Status: 404,
			Has: []string{`"resource":"addon_service"`, "Couldn't find that add-on service."},
		},
		{
			Name: "plans", URL: "/addon-services/heroku-postgresql/plans", Headers: expanded,
			Has: []string{
				`"default":true`, `"name":"heroku-postgresql:standard-0"`, `"price":{"cents":0,"contract":false,"unit":"month"}`,
			},
			HasNot: []string{"heroku-redis"},
		},
		{Name: "a plan's own name", URL: "/addon-services/heroku-postgresql/plans/standard-0", Has: []string{"Standard 0"}},
		{Name: "a plan of another", URL: "/addon-services/heroku-redis/plans/standard-0", Status: 404},
		{Name: "no plan", URL: "/plans/standard-0", Status: 404, Has: []string{"Couldn't find that plan."}},
		{Name: "usage", URL: "/apps/hello/usage", Has: []string{`{"addons":[]}`}},
	})
	f := newFixture()
	_, body := f.Ask("GET", "/addon-services/heroku-redis", "", nil)
	service := wiretest.Fields(t, "["+body+"]", "id")[0]
	run(t, []scenario{{Name: "by id", URL: "/addon-services/" + service, Has: []string{`"name":"heroku-redis"`}}})
}

func TestAnAddOnIsShownAsTheCLIWants(t *testing.T) {
	run(t, []scenario{
		{
			Name: "plain", URL: "/addons/" + string(wiretest.Database),
			Has: []string{
				`"name":"postgresql-curved-12345"`, `"config_vars":["DATABASE_URL"]`, `"state":"provisioned"`,
				`"billed_price":{"cents":0,"contract":false,"unit":"month"}`, `"web_url":null`, `"provision_message":""`,
				`"app":{"id":"` + string(wiretest.Hello) + `","name":"hello"}`, `"type":"app"`,
			},
			HasNot: []string{`"price":`, wiretest.Marker},
		},
		{
			Name: "expanded", URL: database, Headers: expanded,
			Has: []string{`"price":{"cents":0`, `"human_name":"Heroku Postgres"`, `"human_name":"Essential 0"`},
		},
		{
			Name: "in an app that has it attached", URL: "/apps/shop/addons",
			Has: []string{`"name":"postgresql-curved-12345"`}, HasNot: []string{"redis"},
		},
		{
			Name: "in an app that has it not", URL: "/apps/third/addons/postgresql-curved-12345", Status: 404,
			Has: []string{`"resource":"add_on"`},
		},
		{Name: "of another account", URL: "/users/bob@example.com/addons", Status: 404},
	})
}

// What failed is told to who asks for it, and not listed.
func TestAnAddOnThatCouldNotBeMadeSaysWhy(t *testing.T) {
	f := newFixture()
	edit(t, f, wiretest.OwnCache, func(a *renga.AddOn) {
		a.State, a.Fault = renga.Deprovisioned, "No image redis:7 is there."
	})
	_, body := f.Ask("GET", own, "", nil)
	if !strings.Contains(body, `"state":"deprovisioned"`) || !strings.Contains(body, "No image redis:7 is there.") {
		t.Errorf("shown is %s", body)
	}
	if _, body := f.Ask("GET", "/addons", "", nil); strings.Contains(body, "redis-flat-11111") {
		t.Errorf("listed are %s", body)
	}
}

func edit(t *testing.T, f *fixture, id renga.AddOnID, change func(*renga.AddOn)) {
	t.Helper()
	err := f.DB.EditAddOns(t.Context(), []renga.AddOnID{id}, func(all map[renga.AddOnID]*renga.AddOn) error {
		change(all[id])
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAddOnsAreCreated(t *testing.T) {
	const url = "/apps/hello/addons"
	plan := `Couldn't find either the add-on service or the add-on plan of \"db:small\".`
	run(t, []scenario{
		{
			Name: "as the CLI does", Method: "POST", URL: url, Headers: expanded, Status: 201,
			Body: `{"attachment":{},"config":{"version":"15","fork":true,"follow":false},"plan":{"name":"heroku-postgresql"}}`,
			Has: []string{
				`"state":"provisioning"`, `"config_vars":["HEROKU_POSTGRESQL_COBALT_URL"]`, `"name":"postgresql-flat-1"`,
			},
			After: func(t *testing.T, f *fixture, _ *http.Response) {
				a, err := f.DB.AddOnByName(t.Context(), "postgresql-flat-1")
				if err != nil || a.App != wiretest.Hello || a.By != wiretest.Ada.ID || a.Plan != "essential-0" ||
					fmt.Sprint(a.Options) != "map[fork:true version:15]" {
					t.Errorf("created %+v, %v", a, err)
				}
			},
		},
		{
			Name: "by string", Method: "POST", URL: url, Status: 201, Has: []string{`"name":"cache"`, `"CACHE_URL"`},
			Body: `{"plan":"heroku-redis:mini","name":"cache","attachment":{"name":"CACHE"}}`,
		},
		{Name: "unknown by string", Method: "POST", URL: url, Body: `{"plan":"db:small"}`, Status: 422, Has: []string{plan}},
		{
			Name: "unknown by object", Method: "POST", URL: url, Body: `{"plan":{"name":"db:small"}}`, Status: 422,
			Has: []string{plan},
		},
		{Name: "no plan", Method: "POST", URL: url, Body: `{}`, Status: 422, Has: []string{`\"plan\"`}},
		{Name: "a number", Method: "POST", URL: url, Body: `{"plan":7}`, Status: 422, Has: []string{`\"plan\"`}},
		{
			Name: "an option that is no text", Method: "POST", URL: url, Status: 422, Has: []string{`Option \"version\"`},
			Body: `{"plan":"heroku-redis","config":{"version":7}}`,
		},
		{
			Name: "a taken attachment", Method: "POST", URL: url, Status: 422, Has: []string{`"id":"confirmation_required"`},
			Body: `{"plan":"heroku-redis","attachment":{"name":"DATABASE"}}`,
		},
		{
			Name: "a taken attachment, confirmed", Method: "POST", URL: url, Status: 201, Has: []string{`"DATABASE_URL"`},
			Body: `{"plan":"heroku-redis","attachment":{"name":"DATABASE"},"confirm":"hello"}`,
		},
		{
			Name: "a taken name", Method: "POST", URL: url, Status: 422, Has: []string{"already taken"},
			Body: `{"plan":"heroku-redis","name":"redis-round-54321"}`,
		},
		{Name: "in another's app", Method: "POST", URL: "/apps/other/addons", Body: `{"plan":"heroku-redis"}`, Status: 403},
	})
}

func TestAddOnsAreChanged(t *testing.T) {
	run(t, []scenario{
		{
			Name: "renamed", Method: "PATCH", URL: database, Body: `{"name":"ledger"}`,
			Has: []string{`"name":"ledger"`, `"name":"heroku-postgresql:essential-0"`},
		},
		{Name: "badly renamed", Method: "PATCH", URL: database, Body: `{"name":"x"}`, Status: 422},
		{Name: "renamed as another", Method: "PATCH", URL: own, Body: `{"name":"redis-round-54321"}`, Status: 422},
		{
			Name: "upgraded", Method: "PATCH", URL: database, Body: `{"plan":{"name":"heroku-postgresql:standard-0"}}`,
			Headers: expanded, Has: []string{`"name":"heroku-postgresql:standard-0"`, `"human_name":"Standard 0"`},
		},
		{
			Name: "upgraded by the plan's own name", Method: "PATCH", URL: database, Body: `{"plan":"standard-0"}`,
			Has: []string{`"name":"heroku-postgresql:standard-0"`},
		},
		{
			Name: "to no plan", Method: "PATCH", URL: database, Body: `{"plan":{"name":"heroku-postgresql:huge"}}`,
			Status: 422, Has: []string{"Couldn't find either the add-on"},
		},
		{
			Name: "over an app that has it attached", Method: "PATCH", URL: "/apps/shop/addons/postgresql-curved-12345",
			Body: `{"name":"ledger"}`, Status: 422, Has: []string{"belongs to the app hello"},
		},
		{
			Name: "destroyed", Method: "DELETE", URL: own, Body: `{"force":false}`, Has: []string{`"state":"deprovisioned"`},
			After: func(t *testing.T, f *fixture, _ *http.Response) {
				if _, err := f.DB.AddOn(t.Context(), wiretest.OwnCache); renga.KindOf(err) != renga.NotFound {
					t.Errorf("it is there: %v", err)
				}
			},
		},
		{
			Name: "destroyed while another has it", Method: "DELETE", URL: database, Body: `{"force":false}`, Status: 422,
			Has: []string{"attached to other apps"},
		},
		{
			Name: "destroyed by force", Method: "DELETE", URL: database, Body: `{"force":true}`,
			Has: []string{`"state":"deprovisioned"`, `"name":"postgresql-curved-12345"`},
		},
		{
			Name: "destroyed over an app that has it attached", Method: "DELETE", Body: `{"force":true}`, Status: 422,
			URL: "/apps/shop/addons/postgresql-curved-12345",
		},
		{
			Name: "rotated", Method: "POST", URL: "/addons/postgresql-curved-12345/actions/rotate",
			Has: []string{`"name":"postgresql-curved-12345"`}, HasNot: []string{wiretest.Marker},
			After: func(t *testing.T, f *fixture, _ *http.Response) {
				if a, err := f.DB.AddOn(t.Context(), wiretest.Database); err != nil || a.Generation != 2 {
					t.Errorf("rotated is %+v, %v", a, err)
				}
			},
		},
	})
}

func TestConfigOfAnAddOn(t *testing.T) {
	const url = "/addons/postgresql-curved-12345/config"
	run(t, []scenario{
		{Name: "its vars", URL: url, Has: []string{`{"name":"DATABASE_URL","value":"` + wiretest.DatabaseURL + `"}`}},
		{Name: "of none", URL: "/addons/redis-flat-11111/config", Has: []string{"[]"}},
		{Name: "a credential", URL: url + "/credential:default", Has: []string{"credential:default"},
			HasNot: []string{wiretest.Marker}},
		{Name: "no credential", URL: url + "/credential:reader", Has: []string{"[]"}},
		{Name: "no namespace", URL: url + "/other:reader", Status: 422},
	})
}

// resolved are the names that an identifier stands for.
func resolved(t *testing.T, f *fixture, what, body string, headers map[string]string) []string {
	t.Helper()
	res, answer := f.Ask("POST", "/actions/"+what+"/resolve", body, headers)
	if res.StatusCode != 200 {
		return []string{fmt.Sprint(res.StatusCode)}
	}
	names := wiretest.Fields(t, answer, "name")
	slices.Sort(names)
	return names
}

func TestAddOnsAreResolved(t *testing.T) {
	f := newFixture()
	edit(t, f, wiretest.OwnCache, func(a *renga.AddOn) { a.Service = "heroku-postgresql"; a.Plan = "standard-0" })
	for _, c := range []struct{ what, body, want string }{
		{"addons", `{"addon":"postgresql-curved-12345","app":"hello"}`, "postgresql-curved-12345"},
		{"addons", `{"addon":"postgresql-curved-12345","app":null}`, "postgresql-curved-12345"},
		{"addons", `{"addon":"` + string(wiretest.Database) + `","app":null}`, "postgresql-curved-12345"},
		{"addons", `{"addon":"DATABASE","app":"hello"}`, "postgresql-curved-12345"},
		{"addons", `{"addon":"database_url","app":"hello"}`, "postgresql-curved-12345"},
		{"addons", `{"addon":"hello::DATABASE","app":null}`, "postgresql-curved-12345"},
		{"addons", `{"addon":"LEDGER","app":"hello"}`, "404"},
		{"addons", `{"addon":"LEDGER","app":"shop"}`, "postgresql-curved-12345"},
		{"addons", `{"addon":"heroku-postgresql","app":"hello"}`, "postgresql-curved-12345 redis-flat-11111"},
		{"addons", `{"addon":"postgresql","app":"shop"}`, "postgresql-curved-12345"},
		{"addons", `{"addon":"redis-flat-11111","app":"shop"}`, "404"},
		{"addons", `{"addon":"DATABASE","app":"hello","addon_service":"heroku-redis"}`, "404"},
		{"addons", `{"addon":"DATABASE","app":"nobody"}`, "404"},
		{"addon-attachments", `{"addon_attachment":"DATABASE_URL","app":"hello"}`, "DATABASE"},
		{"addon-attachments", `{"addon_attachment":"DATABASE","app":"` + string(wiretest.Hello) + `"}`, "DATABASE"},
		{"addon-attachments", `{"addon_attachment":"` + wiretest.AsLedger + `","app":"shop"}`, "LEDGER"},
		{"addon-attachments", `{"addon_attachment":"postgresql-curved-12345","app":"hello"}`, "DATABASE"},
		{"addon-attachments", `{"addon_attachment":"postgresql-curved-12345","app":null}`, "DATABASE LEDGER"},
		{"addon-attachments", `{"addon_attachment":"shop::LEDGER"}`, "LEDGER"},
		{"addon-attachments", `{"addon_attachment":"REDIS","app":"hello"}`, "404"},
	} {
		if got := strings.Join(resolved(t, f, c.what, c.body, nil), " "); got != c.want {
			t.Errorf("%s %s is %s, want %s", c.what, c.body, got, c.want)
		}
	}
	run(t, []scenario{
		{
			Name: "no add-on", Method: "POST", URL: "/actions/addons/resolve", Body: `{"addon":"db","app":null}`,
			Status: 404, Has: []string{`"resource":"add_on"`, `"id":"not_found"`},
		},
		{
			Name: "no attachment", Method: "POST", URL: "/actions/addon-attachments/resolve", Status: 404,
			Body: `{"app":"hello","addon_attachment":"NONE_URL"}`, Has: []string{`"resource":"add_on attachment"`},
		},
	})
}
