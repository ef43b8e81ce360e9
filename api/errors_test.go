package api_test

import (
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

// TestErrorsByStatusAndID has all errors that requests can cause, in Heroku's form.
// TestErrorsHaveHerokusForm has what errors of other rooms become.
func TestErrorsByStatusAndID(t *testing.T) {
	for _, c := range []struct {
		what, method, url, body string
		headers                 map[string]string
		status                  int
		id                      string
	}{
		{"a body cut short", "PATCH", "/apps/hello", `{"maintenance":`, nil, 400, "bad_request"},
		{"a body with more behind it", "PATCH", "/apps/hello", `{} {}`, nil, 400, "bad_request"},
		{"a body that is no text", "PATCH", "/apps/hello", "\xff\xfe", nil, 400, "bad_request"},
		{"a range over no field", "GET", "/apps", "", wiretest.Header("Range", "size .."), 400, "bad_request"},
		{"no token", "GET", "/apps", "", wiretest.Header("Authorization", ""), 401, "unauthorized"},
		{
			"a token of nobody", "GET", "/apps", "", wiretest.Header("Authorization", "Bearer nobody"), 401,
			"unauthorized",
		},
		{"another's app", "GET", "/apps/other", "", nil, 403, "forbidden"},
		{"another's app, to change", "PATCH", "/apps/other", `{}`, nil, 403, "forbidden"},
		{"an app that is not there", "GET", "/apps/nobody", "", nil, 404, "not_found"},
		{"a name that no app can have", "GET", "/apps/No_App", "", nil, 404, "not_found"},
		{"an endpoint that is not there", "GET", "/nowhere", "", nil, 404, "not_found"},
		{"a method that is not there", "PUT", "/apps/hello", `{}`, nil, 404, "not_found"},
		{
			"a body without end", "PATCH", "/apps/hello/config-vars", `{"A":"` + strings.Repeat("a", 1<<20) + `"}`,
			nil, 413, "request_entity_too_large",
		},
		{
			"a body in XML", "PATCH", "/apps/hello", `<app/>`, wiretest.Header("Content-Type", "text/xml"), 415,
			"unsupported_media_type",
		},
		{"a field of a wrong type", "PATCH", "/apps/hello", `{"maintenance":"on"}`, nil, 422, "invalid_params"},
		{"a body that is no object", "PATCH", "/apps/hello", `7`, nil, 422, "invalid_params"},
		{"a name that is taken", "POST", "/apps", `{"name":"other"}`, nil, 422, "invalid_params"},
		{"a name that cannot be", "POST", "/apps", `{"name":"No_App"}`, nil, 422, "invalid_params"},
		{"a region that is not there", "POST", "/apps", `{"region":"eu"}`, nil, 422, "invalid_params"},
	} {
		t.Run(c.what, func(t *testing.T) {
			res, body := newFixture(nil).Ask(c.method, c.url, c.body, c.headers)
			if res.StatusCode != c.status || !isError(body, c.id) {
				t.Errorf("%d, want %d %s: %s", res.StatusCode, c.status, c.id, body)
			}
			if strings.Contains(body, "aaaa") || res.Header.Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("%v: %s", res.Header, body)
			}
		})
	}
}

func TestBodiesThatSayNothingOfTheirTypeAreJSON(t *testing.T) {
	for _, kind := range []string{
		"", "application/json", "application/json; charset=utf-8", "application/vnd.heroku+json",
		"application/x-www-form-urlencoded",
	} {
		if res, body := newFixture(nil).Ask(
			"PATCH", "/apps/hello", `{"maintenance":true}`, wiretest.Header("Content-Type", kind),
		); res.StatusCode != 200 {
			t.Errorf("%q gets %d: %s", kind, res.StatusCode, body)
		}
	}
}

// FuzzBodies checks that every body is accepted, or refused in Heroku's form, and
// never causes an internal error.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "[]", "null", `{"name":"fresh"}`, `{"updates":[{"type":"web","quantity":"+1"}]}`, `{"A":null}`,
		`{"release":3}`, "{\"\\ud800\":1}", `{"name":{"name":[]}}`, `{"enabled":true}`,
	} {
		f.Add(seed)
	}
	fixture := newFixture(nil)
	f.Fuzz(func(t *testing.T, body string) {
		if _, err := fixture.DB.RenameApp(t.Context(), wiretest.Hello, "hello"); err != nil {
			t.Fatal(err)
		}
		for _, row := range implemented {
			if row.body == "" {
				continue
			}
			res, answer := fixture.Ask(row.method, row.url, body, nil)
			if code := res.StatusCode; code >= 500 || code >= 300 && !strings.Contains(answer, `"message":"`) {
				t.Errorf("%s %s with %q gets %d: %s", row.method, row.url, body, code, answer)
			}
		}
	})
}

// FuzzAppNames checks that every name which the API accepts is good for hosts and
// repositories.
func FuzzAppNames(f *testing.F) {
	for _, seed := range []string{
		"fresh", "a", "a--b", "-a", "a-", "A", "ä", "a/b", "api", "..", "%2e", "a\x00b", strings.Repeat("a", 31),
	} {
		f.Add(seed)
	}
	fixture := newFixture(nil)
	f.Fuzz(func(t *testing.T, name string) {
		res, body := fixture.Ask("POST", "/apps", `{"name":`+wiretest.Quoted(name)+`}`, nil)
		if taken := res.StatusCode == 201; taken != (name == "" || renga.ValidateAppName(name) == nil) &&
			strings.ToValidUTF8(name, "") == name {
			t.Errorf("%q gets %d: %s", name, res.StatusCode, body)
		}
		if res.StatusCode == 201 { // so that the name is free again
			id := wiretest.Fields(t, "["+body+"]", "id")[0]
			if err := fixture.DB.RemoveApp(t.Context(), renga.AppID(id)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
