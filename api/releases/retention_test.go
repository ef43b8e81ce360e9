package releases_test

import (
	"testing"
	"time"

	"renga"
	"renga/api/wire/wiretest"
)

func TestAnAppSaysHowManyReleasesKeepTheirImages(t *testing.T) {
	const url = "/apps/hello/retention"
	run(t, []scenario{
		{Name: "by default", URL: url, Has: []string{`"days":30,"releases":50`}},
		{Name: "fewer", Method: "PATCH", URL: url, Body: `{"releases":3}`, Has: []string{`"days":30,"releases":3`},
			After: wiretest.Audited("retention set")},
		{Name: "none to go back to", Method: "PATCH", URL: url, Body: `{"releases":1}`, Status: 422,
			Has: []string{"Releases must be 2 to 100,000."}},
		{Name: "in the past", Method: "PATCH", URL: url, Body: `{"days":-1}`, Status: 422, Has: []string{"Days must be 0"}},
	})
	fixture := newFixture()
	fixture.Ask("PATCH", url, `{"releases":3,"days":0}`, nil)
	if got := fixture.App(t, wiretest.Hello).Retention; got != (renga.Retention{Releases: 3}) {
		t.Errorf("stored: %+v", got)
	}
	fixture.Ask("PATCH", url, `{"days":7}`, nil)
	if got := fixture.App(t, wiretest.Hello).Retention; got != (renga.Retention{Releases: 3, For: 7 * 24 * time.Hour}) {
		t.Errorf("stored: %+v", got)
	}
}
