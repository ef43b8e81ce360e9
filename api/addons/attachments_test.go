package addons_test

import (
	"net/http"
	"testing"

	"renga/api/wire/wiretest"
)

// included asks for what the official CLI wants of attachments.
var included = map[string]string{
	"Accept": "application/vnd.heroku+json; version=3.sdk", "Accept-Inclusion": "addon:plan,config_vars",
}

func TestAttachmentsAreShownAsTheCLIWants(t *testing.T) {
	addOn := `"addon":{"app":{"id":"` + string(wiretest.Hello) + `","name":"hello"},"id":"` +
		string(wiretest.Database) + `","name":"postgresql-curved-12345"`
	run(t, []scenario{
		{
			Name: "plain", URL: "/addon-attachments/" + wiretest.AsLedger, HasNot: []string{"config_vars", `"plan"`},
			Has: []string{addOn + `}`, `"name":"LEDGER"`, `"namespace":null`, `"name":"shop"`},
		},
		{
			Name: "with what it gives", URL: "/apps/shop/addon-attachments", Headers: included,
			Has: []string{`"config_vars":["LEDGER_URL"]`, addOn + `,"plan":{`, `"name":"heroku-postgresql:essential-0"`},
		},
		{Name: "all", URL: "/addon-attachments", Has: []string{"DATABASE", "LEDGER"}, HasNot: []string{"REDIS"}},
		{Name: "of an add-on", URL: "/addons/postgresql-curved-12345/addon-attachments", Has: []string{"DATABASE", "LEDGER"}},
		{Name: "of an app", URL: "/apps/hello/addon-attachments", Has: []string{"DATABASE"}, HasNot: []string{"LEDGER"}},
		{Name: "by name", URL: "/apps/shop/addon-attachments/LEDGER", Has: []string{wiretest.AsLedger}},
		{Name: "by name in another app", URL: "/apps/hello/addon-attachments/LEDGER", Status: 404,
			Has: []string{`"resource":"add_on attachment"`}},
		{Name: "by no id", URL: "/addon-attachments/LEDGER", Status: 404},
	})
}

func TestAddOnsAreAttachedAndDetached(t *testing.T) {
	const url = "/addon-attachments"
	run(t, []scenario{
		{
			Name: "as the CLI does", Method: "POST", URL: url, Status: 201,
			Body: `{"addon":{"name":"redis-flat-11111"},"app":{"name":"shop"},"name":"CACHE"}`,
			Has:  []string{`"name":"CACHE"`, `"name":"shop"`},
			After: func(t *testing.T, f *fixture, _ *http.Response) {
				a, err := f.DB.AddOn(t.Context(), wiretest.OwnCache)
				if err != nil || !a.AttachedTo(wiretest.Shop) {
					t.Errorf("attached is %+v, %v", a, err)
				}
			},
		},
		{
			Name: "under a taken name", Method: "POST", URL: url, Status: 422,
			Body: `{"addon":"redis-flat-11111","app":"hello","name":"DATABASE"}`,
			Has:  []string{`"id":"confirmation_required"`},
		},
		{
			Name: "promoted", Method: "POST", URL: url, Status: 201, Has: []string{`"name":"DATABASE"`},
			Body: `{"addon":"redis-flat-11111","app":"hello","name":"DATABASE","confirm":"hello","namespace":null}`,
			After: func(t *testing.T, f *fixture, _ *http.Response) {
				old, err := f.DB.AddOn(t.Context(), wiretest.Database)
				if err != nil || old.AttachedTo(wiretest.Hello) {
					t.Errorf("the one before is %+v, %v", old, err)
				}
			},
		},
		{
			Name: "with another namespace", Method: "POST", URL: url, Status: 422, Has: []string{"credential:NAME"},
			Body: `{"addon":"redis-flat-11111","app":"hello","namespace":"connection-pooling:default"}`,
		},
		{
			Name: "to no app", Method: "POST", URL: url, Body: `{"addon":"redis-flat-11111","app":"nobody"}`, Status: 404,
			Has: []string{`"resource":"app"`},
		},
		{Name: "nothing", Method: "POST", URL: url, Body: `{"app":"hello"}`, Status: 404, Has: []string{`"add_on"`}},
		{
			Name: "detached", Method: "DELETE", URL: url + "/" + wiretest.AsLedger, Has: []string{`"name":"LEDGER"`},
			After: func(t *testing.T, f *fixture, _ *http.Response) {
				if a, err := f.DB.AddOn(t.Context(), wiretest.Database); err != nil || a.AttachedTo(wiretest.Shop) {
					t.Errorf("detached is %+v, %v", a, err)
				}
				if res, body := f.Ask("GET", url+"/"+wiretest.AsLedger, "", nil); res.StatusCode != 404 {
					t.Errorf("it is shown still: %s", body)
				}
			},
		},
	})
}
