package releases_test

import (
	"strings"
	"testing"
	"time"

	"renga"
	"renga/api/wire/wiretest"
)

// until is the end of the canary that tried makes.
var until = time.Now().Add(time.Hour).UTC().Truncate(time.Second)

// tried makes v4 a canary with some of its time left.
func tried(s *wiretest.Seed) {
	s.Releases[wiretest.Hello][3].Canary = renga.DefaultCanary()
	s.Releases[wiretest.Hello][3].Outcome = renga.Outcome{Status: renga.Pending, At: wiretest.Born, CanaryUntil: until}
}

func TestReleasesAreMadeAsCanaries(t *testing.T) {
	const url = "/apps/hello/releases"
	noPreboot := func(s *wiretest.Seed) {
		s.Edit(wiretest.Hello, func(a *renga.App) { a.Features = map[string]bool{renga.Preboot: false} })
	}
	run(t, []scenario{
		{Name: "a rollback", Method: "POST", URL: url, Body: `{"release":"v3","canary":{"percent":25,"seconds":60}}`, Status: 201,
			Has: []string{`"canary":{"percent":25,"seconds":60,"until":null}`}},
		{Name: "the same again", Method: "POST", URL: url, Body: `{"description":"again","canary":{}}`, Status: 201,
			Has: []string{`"canary":{"percent":10,"seconds":300,"until":null}`}},
		{
			Name: "at once", Method: "POST", URL: url, Body: `{"release":"v3"}`, Status: 201,
			Has: []string{`"canary":null`},
		},
		{
			Name: "while it is tried", Prepare: tried, URL: url + "/4",
			Has: []string{`"canary":{"percent":10,"seconds":300,"until":"` + until.Format(time.RFC3339) + `"}`},
		},
		{
			Name: "all requests", Method: "POST", URL: url, Body: `{"release":"v3","canary":{"percent":100}}`,
			Status: 422, Has: []string{"Percent must be 1 to 99"},
		},
		{Name: "none", Method: "POST", URL: url, Body: `{"release":"v3","canary":{"percent":0}}`, Status: 422},
		{
			Name: "for ever", Method: "POST", URL: url, Body: `{"release":"v3","canary":{"seconds":86401}}`,
			Status: 422, Has: []string{"Seconds must be 10 to 86,400"},
		},
		{
			Name: "without preboot", Prepare: noPreboot, Method: "POST", URL: url,
			Body: `{"release":"v3","canary":{}}`, Status: 422, Has: []string{"preboot"},
		},
		{
			Name: "the app's own without preboot", Prepare: noPreboot, Method: "PATCH", URL: "/apps/hello/canary",
			Body: `{}`, Status: 422, Has: []string{"preboot"},
		},
	})
}

func TestAnAppsCanaryIsSetAndTakenAway(t *testing.T) {
	fixture := newFixture()
	const url = "/apps/hello/canary"
	if _, body := fixture.Ask("GET", url, "", nil); !strings.Contains(body, `"percent":null,"seconds":300`) {
		t.Errorf("before: %s", body)
	}
	res, body := fixture.Ask("PATCH", url, `{"percent":20}`, nil)
	if res.StatusCode != 200 || !strings.Contains(body, `"percent":20,"seconds":300`) {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
	if _, body := fixture.Ask("PATCH", url, `{"seconds":60}`, nil); !strings.Contains(body, `"percent":20,"seconds":60`) {
		t.Errorf("changed: %s", body)
	}
	if got := fixture.App(t, wiretest.Hello).Canary; got != (renga.Canary{Percent: 20, For: time.Minute}) ||
		!strings.Contains(fixture.Logged.String(), `"action":"canary set"`) {
		t.Errorf("stored: %+v, log %s", got, fixture.Logged)
	}
	if res, body := fixture.Ask("PATCH", url, `{"seconds":9}`, nil); res.StatusCode != 422 ||
		!strings.Contains(body, "10 to 86,400") {
		t.Errorf("too short: %d %s", res.StatusCode, body)
	}
	if res, body := fixture.Ask("DELETE", url, "", nil); res.StatusCode != 200 || !strings.Contains(body, `"percent":20`) {
		t.Errorf("taken away: %d %s", res.StatusCode, body)
	}
	if fixture.App(t, wiretest.Hello).Canary.On() {
		t.Error("the canary is still there")
	}
}
