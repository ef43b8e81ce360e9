package addons_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

// askForm posts a form without a token.
func askForm(f *fixture, form string) (int, string) {
	req := httptest.NewRequest("POST", "/oauth/token", strings.NewReader(form))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	f.ServeHTTP(rec, req)
	return rec.Code, rec.Body.String()
}

func TestACodeBecomesTokens(t *testing.T) {
	f := newFixture()
	const good = `{"access_token":"` + wiretest.Marker + `","expires_in":3600,"refresh_token":"refresh","token_type":"Bearer"}`
	for form, want := range map[string]string{
		"grant_type=authorization_code&code=code&client_secret=secret":        good,
		"grant_type=refresh_token&refresh_token=refresh&client_secret=secret": good,
		"grant_type=authorization_code&code=other&client_secret=secret":       "unauthorized",
		"grant_type=authorization_code&code=code&client_secret=other":         "unauthorized",
		"grant_type=password&client_secret=secret":                            "must be authorization_code or refresh_token",
		"": "must be authorization_code or refresh_token",
	} {
		code, body := askForm(f, form)
		if (code == http.StatusOK) != (want == good) || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s; want %s", form, code, body, want)
		}
	}
	if strings.Contains(f.Logged.String(), wiretest.Marker) {
		t.Error("a token is in the log")
	}
}

func TestAPartnerSaysWhatItProvides(t *testing.T) {
	f := newFixture()
	path := "/addons/" + string(wiretest.Database)
	partner := wiretest.Bearer(wiretest.PartnerToken + string(wiretest.Database))
	config := `{"config": [{"name": "DATABASE_URL", "value": "db://x"}, {"name": "DATABASE_OLD", "value": null}]}`
	for _, c := range []struct{ method, path, body, want string }{
		{"PATCH", path + "/config", config, `[{"name":"DATABASE_URL","value":"db://x"}]`},
		{"GET", path + "/config", "", `[{"name":"DATABASE_URL","value":"db://x"}]`},
		{"GET", path, "", `"name":"postgresql-curved-12345"`},
		{"POST", path + "/actions/provision", "", `"name":"postgresql-curved-12345"`},
		{"POST", path + "/actions/deprovision", "", `"name":"postgresql-curved-12345"`},
	} {
		res, body := f.Ask(c.method, c.path, c.body, partner)
		if res.StatusCode != http.StatusOK || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %s; want %s", c.method, c.path, res.StatusCode, body, c.want)
		}
		if c.method == "GET" {
			continue
		}
		for _, as := range []map[string]string{wiretest.AsBob, wiretest.Bearer("ada-token/write")} {
			if res, body := f.Ask(c.method, c.path, c.body, as); res.StatusCode < 400 {
				t.Errorf("%s %s by another: %d %s", c.method, c.path, res.StatusCode, body)
			}
		}
	}
	a, err := f.DB.AddOn(t.Context(), wiretest.Database)
	if err != nil || a.Partner.State != renga.PartnerProvides || a.State != renga.Deprovisioning {
		t.Errorf("%v, %s, %s", err, a.Partner.State, a.State)
	}
}

func TestAnAddOnIsOpenedAtItsPartner(t *testing.T) {
	f := newFixture()
	path := "/apps/hello/addons/" + string(wiretest.Database) + "/sso"
	want := `{"action":"https://partner.example/sso","method":"post","params":{"email":"ada@example.com","resource_id":"` +
		string(wiretest.Database) + `"}}`
	if res, body := f.Ask("GET", path, "", nil); res.StatusCode != http.StatusOK || strings.TrimSpace(body) != want ||
		res.Header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("%d %s; want %s", res.StatusCode, body, want)
	}
	for _, as := range []map[string]string{wiretest.Bearer("ada-token/write"), wiretest.AsBob} {
		if res, body := f.Ask("GET", path, "", as); res.StatusCode != http.StatusForbidden {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	}
}
