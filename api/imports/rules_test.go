package imports_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

const rules = "/apps/hello/registry-webhooks"

// madeRule is a registry webhook as its maker gets it.
type madeRule struct{ ID, URL, Secret string }

// path is the way to it.
func (m madeRule) path(t *testing.T) string {
	t.Helper()
	i := strings.Index(m.URL, "/webhooks/registry/")
	if i < 0 {
		t.Fatalf("its URL is %q", m.URL)
	}
	return m.URL[i:]
}

func makeRule(t *testing.T, r *fixture, body string) madeRule {
	t.Helper()
	res, answer := r.Ask("POST", rules, body, nil)
	var made madeRule
	if err := json.Unmarshal([]byte(answer), &made); err != nil || res.StatusCode != http.StatusCreated || len(made.Secret) != 60 {
		t.Fatalf("%d %s, %v", res.StatusCode, answer, err)
	}
	return made
}

func importsOf(t *testing.T, r *fixture) []renga.Import {
	t.Helper()
	all, err := r.DB.Imports(t.Context(), wiretest.Hello)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const (
	ofDistribution = `{"source":"distribution","repository":"registry.example/acme/shop","tag":"v*","process_type":"worker"}`
	ofDockerHub    = `{"source":"docker-hub","repository":"acme/shop"}`
	pushedV1       = `{"events":[{"id":"1","action":"push","target":{"repository":"acme/shop","tag":"v1"}}]}`
)

// A notice is taken from who shows the secret, with any content type, once.
func TestRegistryWebhooks(t *testing.T) {
	r := newFixture()
	made := makeRule(t, r, ofDistribution)
	at := made.path(t)
	if strings.Contains(made.URL, made.Secret) {
		t.Errorf("the URL is %s", made.URL)
	}
	headers := map[string]string{
		"Authorization": "Bearer " + made.Secret, "Content-Type": "application/vnd.docker.distribution.events.v1+json",
	}
	for range 2 {
		res, body := r.Ask("POST", at, pushedV1, headers)
		all := importsOf(t, r)
		if res.StatusCode != http.StatusAccepted || len(all) != 1 || !strings.Contains(body, `"decision":"matched"`) ||
			!strings.Contains(body, all[0].ID) {
			t.Fatalf("%d %s, and %+v", res.StatusCode, body, all)
		}
	}
	i := importsOf(t, r)[0]
	if i.Image != "registry.example/acme/shop:v1" || i.Process != "worker" || i.By != wiretest.Ada.ID || i.Rule != made.ID {
		t.Errorf("the import is %+v", i)
	}
	res, body := r.Ask("POST", at, strings.ReplaceAll(pushedV1, "v1", "latest"), headers)
	if res.StatusCode != http.StatusOK || !strings.Contains(body, `"decision":"ignored"`) || !strings.Contains(body, "does not match v*") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if res, body := r.Ask("POST", at, "{", headers); res.StatusCode != 422 {
		t.Errorf("no JSON: %d %s", res.StatusCode, body)
	}
	if res, body := r.Ask("POST", at, strings.Repeat(" ", 1<<20)+"{}", headers); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("too long: %d %.200s", res.StatusCode, body)
	}
	for _, url := range []string{rules, rules + "/" + made.ID} {
		if res, body := r.Ask("GET", url, "", nil); res.StatusCode != 200 || strings.Contains(body, made.Secret) ||
			!strings.Contains(body, `"repository":"registry.example/acme/shop"`) {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	}
	if res, _ := r.Ask("DELETE", rules+"/"+made.ID, "", nil); res.StatusCode != 200 {
		t.Errorf("removing it: %d", res.StatusCode)
	}
	if res, body := r.Ask("POST", at, pushedV1, headers); res.StatusCode != 404 {
		t.Errorf("once it is removed: %d %s", res.StatusCode, body)
	}
}

// Whoever does not know the secret gets one answer, whatever there is.
func TestStrangersNotices(t *testing.T) {
	r := newFixture()
	made, other := makeRule(t, r, ofDistribution), makeRule(t, r, ofDockerHub)
	if !strings.HasSuffix(other.URL, "?secret="+other.Secret) {
		t.Errorf("the URL is %s", other.URL)
	}
	at := made.path(t)
	ask := func(url string, headers map[string]string) string {
		res, body := r.Ask("POST", url, pushedV1, headers)
		if res.StatusCode != 404 {
			t.Errorf("%s with %v: %d %s", url, headers, res.StatusCode, body)
		}
		return body
	}
	none := ask("/webhooks/registry/distribution/"+string(wiretest.Hello)+"/a0000000-0000-4000-8000-00000000000f", nil)
	for _, c := range []struct {
		url     string
		headers map[string]string
	}{
		{at, nil},
		{at, wiretest.Bearer(other.Secret)},
		{at, wiretest.Bearer("ada-token")}, // a token is no secret of a webhook
		{at + "?secret=" + made.Secret, wiretest.Header("Authorization", "")},
		{strings.Replace(at, "distribution", "docker-hub", 1) + "?secret=" + made.Secret, nil},
		{strings.Replace(at, "distribution", "nobody", 1), wiretest.Bearer(made.Secret)},
		{strings.Replace(at, string(wiretest.Hello), "hello", 1), wiretest.Bearer(made.Secret)},
		{strings.Replace(at, string(wiretest.Hello), "90000000-0000-4000-8000-00000000000e", 1), wiretest.Bearer(made.Secret)},
		{strings.Replace(at, made.ID, other.ID, 1), wiretest.Bearer(made.Secret)},
	} {
		if body := ask(c.url, c.headers); body != none {
			t.Errorf("%s with %v tells %s, not %s", c.url, c.headers, body, none)
		}
	}
	if all := importsOf(t, r); len(all) != 0 {
		t.Errorf("they have ordered %+v", all)
	}
	if said := r.Logged.String(); strings.Contains(said, made.Secret) || strings.Contains(said, other.Secret) {
		t.Errorf("the log has a secret: %s", said)
	}
}

func TestRegistryWebhooksThatCannotBe(t *testing.T) {
	wiretest.Run(t, newFixture, []scenario{
		{Name: "an unknown kind", Method: "POST", URL: rules, Body: `{"source":"x","repository":"a/b"}`, Status: 422,
			Has: []string{"choose one of artifact-registry, distribution, docker-hub"}},
		{Name: "no repository", Method: "POST", URL: rules, Body: `{"source":"quay"}`, Status: 422},
		{Name: "no process type", Method: "POST", URL: rules, Status: 422,
			Body: `{"source":"quay","repository":"quay.io/a/b","process_type":"A b"}`},
		{Name: "of another app", Method: "POST", URL: "/apps/other/registry-webhooks", Body: ofDockerHub, Status: 403},
		{Name: "with a token that reaches no secrets", Method: "POST", URL: rules, Body: ofDockerHub,
			Headers: wiretest.Bearer("ada-token/write"), Status: 403},
		{Name: "none", URL: rules + "/a0000000-0000-4000-8000-00000000000f", Status: 404},
	})
	r := newFixture()
	for range renga.MaxImportRules {
		makeRule(t, r, ofDockerHub)
	}
	if res, body := r.Ask("POST", rules, ofDockerHub, nil); res.StatusCode != 422 || !strings.Contains(body, "remove one first") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

// What came for a registry webhook is listed, for who may look at the app.
func TestNoticesAreListed(t *testing.T) {
	r := newFixture()
	made, other := makeRule(t, r, ofDistribution), makeRule(t, r, ofDistribution)
	at := made.path(t)
	for _, told := range []struct{ secret, body string }{
		{"wrong", pushedV1}, {made.Secret, pushedV1}, {made.Secret, strings.ReplaceAll(pushedV1, "v1", "latest")},
	} {
		r.Ask("POST", at, told.body, wiretest.Bearer(told.secret))
	}
	res, body := r.Ask("GET", rules+"/"+made.ID+"/notices", "", nil)
	var all []struct {
		Decision string
		Reason   *string
		Imports  []string
	}
	if err := json.Unmarshal([]byte(body), &all); err != nil || res.StatusCode != 200 || len(all) != 3 {
		t.Fatalf("%d %s, %v", res.StatusCode, body, err)
	}
	if all[0].Decision != "refused" || all[1].Decision != "matched" || all[1].Imports[0] != importsOf(t, r)[0].ID ||
		all[2].Decision != "ignored" || *all[2].Reason != `The tag "latest" does not match v*.` {
		t.Errorf("it lists %s", body)
	}
	if strings.Contains(body, made.Secret) || strings.Contains(body, "wrong") {
		t.Errorf("a secret is in %s", body)
	}
	if _, body := r.Ask("GET", rules+"/"+other.ID+"/notices", "", nil); strings.TrimSpace(body) != "[]" {
		t.Errorf("the other one has %s", body)
	}
}

func TestRegistryWebhooksThatPoll(t *testing.T) {
	wiretest.Run(t, newFixture, []scenario{
		{Name: "made", Method: "POST", URL: rules, Body: `{"source":"poll","repository":"quay.io/a/b"}`, Status: 201,
			Has:    []string{`"every_seconds":300`, `"tag":"latest"`, `"url":null`, `"next_at":null`},
			HasNot: []string{`"secret"`}},
		{Name: "beside notices", Method: "POST", URL: rules, Status: 201,
			Body: `{"source":"quay","repository":"quay.io/a/b","poll_seconds":3600}`, Has: []string{`"every_seconds":3600`, `?secret=`}},
		{Name: "too often", Method: "POST", URL: rules, Body: `{"source":"poll","repository":"quay.io/a/b","poll_seconds":59}`,
			Status: 422, Has: []string{"every 60 to 86400 seconds"}},
		{Name: "beyond all time", Method: "POST", URL: rules, Status: 422,
			Body: `{"source":"poll","repository":"quay.io/a/b","poll_seconds":9223372036854775807}`},
		{Name: "a pattern", Method: "POST", URL: rules, Body: `{"source":"poll","repository":"quay.io/a/b","tag":"v*"}`,
			Status: 422, Has: []string{"is a pattern of several"}},
	})
	r := newFixture()
	made := struct{ ID string }{}
	_, body := r.Ask("POST", rules, `{"source":"poll","repository":"quay.io/a/b"}`, nil)
	if err := json.Unmarshal([]byte(body), &made); err != nil {
		t.Fatal(err)
	}
	at := "/webhooks/registry/poll/" + string(wiretest.Hello) + "/" + made.ID
	for _, secret := range []string{"", "x"} {
		if res, body := r.Ask("POST", at+"?secret="+secret, pushedV1, wiretest.Bearer(secret)); res.StatusCode != 404 {
			t.Errorf("it takes notices: %d %s", res.StatusCode, body)
		}
	}
}

// A rule that asks for tokens has no secret that could be lost.
func TestRegistryWebhooksWithAServiceAccount(t *testing.T) {
	wiretest.Run(t, newFixture, []scenario{
		{Name: "made", Method: "POST", URL: rules, Status: 201,
			Body: `{"source":"artifact-registry","repository":"us-docker.pkg.dev/a/b/c","service_account":"p@a.iam.gserviceaccount.com"}`,
			Has:  []string{`"service_account":"p@a.iam.gserviceaccount.com"`}, HasNot: []string{"secret"}},
		{Name: "for who sends none", Method: "POST", URL: rules, Status: 422,
			Body: `{"source":"quay","repository":"quay.io/a/b","service_account":"p@a.iam.gserviceaccount.com"}`},
	})
}
