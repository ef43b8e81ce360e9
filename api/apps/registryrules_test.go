package apps_test

import (
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

func TestTheRegistrysRulesOfAnApp(t *testing.T) {
	fixture := newFixture()
	const url = "/apps/hello/registry"
	for _, row := range []struct{ method, body, want string }{
		{"GET", "", `"anonymous_pull":false`},
		{"PATCH", `{"anonymous_pull":true}`, `"anonymous_pull":true`},
		{"PATCH", `{}`, `"anonymous_pull":true`},
		{"GET", "", `"immutable_tags":[]`},
		{"PATCH", `{"immutable_tags":["*","!latest"]}`, `"immutable_tags":["*","!latest"]`},
		{"PATCH", `{"anonymous_pull":true}`, `"immutable_tags":["*","!latest"]`},
		{"GET", "", `"anonymous_pull":true`},
	} {
		if res, got := fixture.Ask(row.method, url, row.body, nil); res.StatusCode != 200 || !strings.Contains(got, row.want) {
			t.Errorf("%s %s: %d %s, want %s", row.method, row.body, res.StatusCode, got, row.want)
		}
	}
	if got := fixture.App(t, wiretest.Hello).Registry; !got.AnonymousPull || len(got.ImmutableTags) != 2 {
		t.Errorf("stored %+v", got)
	}
	if res, got := fixture.Ask("PATCH", url, `{"immutable_tags":["!latest"]}`, nil); res.StatusCode != 422 {
		t.Errorf("exceptions to nothing: %d %s", res.StatusCode, got)
	}
	if log := fixture.Logged.String(); !strings.Contains(log, `"action":"registry rules set"`) ||
		!strings.Contains(log, `"anonymous_pull":true`) {
		t.Errorf("log %s", log)
	}
}

// TestAnAppAsksWhereImagesComeFrom by keys that can check something.
func TestAnAppAsksWhereImagesComeFrom(t *testing.T) {
	fixture := newFixture()
	const url = "/apps/hello/registry"
	const good = `-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n`
	const rsa = `-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8Qu` +
		`KUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==\n-----END PUBLIC KEY-----\n`
	for body, status := range map[string]int{
		`{"provenance":{"keys":["` + good + `"],"repositories":["ghcr.io/acme/shop"],"labels":{"a":"b"}}}`: 200,
		`{"provenance":{"keys":["` + good + good + `"]}}`:                                                  422,
		`{"provenance":{"keys":["` + rsa + `"]}}`:                                                          422,
		`{"provenance":{"keys":["no key"]}}`:                                                               422,
		`{"provenance":{"repositories":["ghcr.io/acme/shop"]}}`:                                            422,
		`{"provenance":{"keys":["` + good + `"],"repositories":["acme/shop"]}}`:                            422,
		`{"provenance":{"labels":{"":"b"}}}`:                                                               422,
	} {
		if res, got := fixture.Ask("PATCH", url, body, nil); res.StatusCode != status {
			t.Errorf("%s: %d %s, want %d", body, res.StatusCode, got, status)
		}
	}
	p := fixture.App(t, wiretest.Hello).Registry.Provenance
	if len(p.Keys) != 1 || p.Repositories[0] != "ghcr.io/acme/shop" || p.Labels["a"] != "b" {
		t.Errorf("stored %+v", p)
	}
	if _, got := fixture.Ask("GET", url, "", nil); !strings.Contains(got, `"repositories":["ghcr.io/acme/shop"]`) {
		t.Errorf("shown %s", got)
	}
	if res, got := fixture.Ask("PATCH", url, `{"provenance":{}}`, nil); res.StatusCode != 200 ||
		!strings.Contains(got, `"provenance":{"keys":[],"labels":{},"repositories":[]}`) {
		t.Errorf("after nothing is asked any more: %d %s", res.StatusCode, got)
	}
	if fixture.App(t, wiretest.Hello).Registry.Provenance.On() {
		t.Error("it is still asked")
	}
}
