package events_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

func TestLogDrains(t *testing.T) {
	const drains = "/apps/hello/log-drains"
	named := url.PathEscape("https://user:" + wiretest.Marker + "@logs.example.com/a?b=c")
	run(t, []scenario{
		{
			Name: "list shows the whole URL", URL: drains,
			Has: []string{`[{"addon":null,`, `"token":"d.1"`, wiretest.Marker},
		},
		{Name: "by id", URL: drains + "/50000000-0000-4000-8000-000000000001", Has: []string{`"token":"d.1"`}},
		{Name: "by token", URL: drains + "/d.1", Has: []string{`"token":"d.1"`}},
		{Name: "by URL", URL: drains + "/" + named, Has: []string{`"token":"d.1"`}},
		{
			Name: "removed by URL, as the CLI does", Method: "DELETE", URL: drains + "/" + named,
			Has: []string{`"token":"d.1"`},
		},
		{Name: "of none", URL: drains + "/d.2", Status: 404, Has: []string{`Couldn't find that log drain.`}},
		{Name: "removed of none", Method: "DELETE", URL: drains + "/d.2", Status: 404},
		{Name: "of another", URL: "/apps/other/log-drains", Status: 403},
		{
			Name: "added", Method: "POST", URL: drains, Body: `{"url":"syslog+tls://logs.example.com:6514"}`,
			Status: 201, Has: []string{`"url":"syslog+tls://logs.example.com:6514"`, `"token":"d.`},
		},
		{
			Name: "added twice", Method: "POST", URL: drains,
			Body: `{"url":"https://user:` + wiretest.Marker + `@logs.example.com/a?b=c"}`, Status: 422,
			Has: []string{`Url has already been taken.`},
		},
		{Name: "no url", Method: "POST", URL: drains, Body: `{}`, Status: 422},
		{
			Name: "no drain's url", Method: "POST", URL: drains, Body: `{"url":"ftp://logs.example.com"}`,
			Status: 422, Has: []string{`must begin with`},
		},
		{
			Name: "syslog without a port", Method: "POST", URL: drains, Body: `{"url":"syslog://logs.example.com"}`,
			Status: 422, Has: []string{`must name a port`},
		},
	})
}

func TestAnAppHasFiveDrainsAtMost(t *testing.T) {
	fixture := newFixture()
	for n := range 5 {
		res, body := fixture.Ask(
			"POST", "/apps/hello/log-drains", fmt.Sprintf(`{"url":"https://logs.example.com/%d"}`, n), nil,
		)
		if want := map[bool]int{
			true: http.StatusCreated, false: http.StatusUnprocessableEntity,
		}[n < 4]; res.StatusCode != want {
			t.Errorf("drain %d: %d %s, want %d", n+2, res.StatusCode, body, want)
		}
	}
	if got := fakeOf(fixture).drained; got != 4 {
		t.Errorf("the drainer was told %d times, want 4", got)
	}
	fixture.Ask(
		"DELETE", "/apps/hello/log-drains/"+url.PathEscape("https://user:"+wiretest.Marker+"@logs.example.com/a?b=c"),
		"", nil,
	)
	if strings.Contains(fixture.Logged.String(), "logs.example.com") {
		t.Error("the platform's log tells a drain's URL")
	}
}
