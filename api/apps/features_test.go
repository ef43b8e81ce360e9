package apps_test

import (
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

func TestFeaturesAreSwitched(t *testing.T) {
	fixture := newFixture()
	res, body := fixture.Ask("PATCH", "/apps/hello/features/preboot", `{"enabled":false}`, nil)
	if res.StatusCode != 200 || !strings.Contains(body, `"enabled":false`) ||
		fixture.App(t, wiretest.Hello).FeatureOn(renga.Preboot) {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
	if len(fixture.Reconciled) != 1 || !strings.Contains(fixture.Logged.String(), `"action":"feature set"`) {
		t.Errorf("reconciled %v, log %s", fixture.Reconciled, fixture.Logged)
	}
	_, list := fixture.Ask("GET", "/apps/hello/features", "", nil)
	// the other one is a lab
	if !strings.Contains(list, `"name":"preboot"`) || strings.Count(list, `"enabled":false`) != 2 {
		t.Errorf("list: %s", list)
	}
	if fixture.Ask("PATCH", "/apps/hello/features/preboot", `{"enabled":false}`, nil); len(fixture.Reconciled) != 1 {
		t.Error("what is off already was switched again")
	}
	if !fixture.App(t, wiretest.Hello).FeatureOn(renga.ReleaseOnPush) {
		t.Error("another feature was switched too")
	}
}

func TestFeaturesAreFound(t *testing.T) {
	id := wiretest.Fields(t, answerOf(newFixture(), "/apps/hello/features"), "id")[0]
	run(t, []scenario{
		{Name: "by id", URL: "/apps/hello/features/" + id},
		{Name: "unknown", URL: "/apps/hello/features/spaces", Status: 404, Has: []string{`"resource":"feature"`}},
		{
			Name: "without a word", Method: "PATCH", URL: "/apps/hello/features/preboot", Body: `{}`, Status: 422,
			Has: []string{"enabled"},
		},
		{
			Name: "of a wrong type", Method: "PATCH", URL: "/apps/hello/features/preboot", Body: `{"enabled":"yes"}`,
			Status: 422,
		},
	})
}

// answerOf is the body of a GET.
func answerOf(r *fixture, url string) string {
	_, body := r.Ask("GET", url, "", nil)
	return body
}
