package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestLogDrains(t *testing.T) {
	const drains = "/apps/hello/log-drains"
	named := url.PathEscape("https://user:" + marker + "@logs.example.com/a?b=c")
	run(t, []scenario{
		{name: "list shows the whole URL", url: drains, has: []string{`[{"addon":null,`, `"token":"d.1"`, marker}},
		{name: "by id", url: drains + "/50000000-0000-4000-8000-000000000001", has: []string{`"token":"d.1"`}},
		{name: "by token", url: drains + "/d.1", has: []string{`"token":"d.1"`}},
		{name: "by URL", url: drains + "/" + named, has: []string{`"token":"d.1"`}},
		{name: "removed by URL, as the CLI does", method: "DELETE", url: drains + "/" + named, has: []string{`"token":"d.1"`}},
		{name: "of none", url: drains + "/d.2", status: 404, has: []string{`Couldn't find that log drain.`}},
		{name: "removed of none", method: "DELETE", url: drains + "/d.2", status: 404},
		{name: "of another", url: "/apps/other/log-drains", status: 403},
		{name: "added", method: "POST", url: drains, body: `{"url":"syslog+tls://logs.example.com:6514"}`, status: 201, has: []string{`"url":"syslog+tls://logs.example.com:6514"`, `"token":"d.`}},
		{name: "added twice", method: "POST", url: drains, body: `{"url":"https://user:` + marker + `@logs.example.com/a?b=c"}`, status: 422, has: []string{`Url has already been taken.`}},
		{name: "no url", method: "POST", url: drains, body: `{}`, status: 422},
		{name: "no drain's url", method: "POST", url: drains, body: `{"url":"ftp://logs.example.com"}`, status: 422, has: []string{`must begin with`}},
		{name: "syslog without a port", method: "POST", url: drains, body: `{"url":"syslog://logs.example.com"}`, status: 422, has: []string{`must name a port`}},
	})
}

func TestAnAppHasFiveDrainsAtMost(t *testing.T) {
	rig := newRig(nil)
	for n := range 5 {
		res, body := rig.ask("POST", "/apps/hello/log-drains", fmt.Sprintf(`{"url":"https://logs.example.com/%d"}`, n), nil)
		if want := map[bool]int{true: http.StatusCreated, false: http.StatusUnprocessableEntity}[n < 4]; res.StatusCode != want {
			t.Errorf("drain %d: %d %s, want %d", n+2, res.StatusCode, body, want)
		}
	}
	if len(rig.world.woken) != 4 {
		t.Errorf("the drainer was woken %d times, want 4", len(rig.world.woken))
	}
	rig.ask("DELETE", "/apps/hello/log-drains/"+url.PathEscape("https://user:"+marker+"@logs.example.com/a?b=c"), "", nil)
	if strings.Contains(rig.log.String(), "logs.example.com") {
		t.Error("the platform's log tells a drain's URL")
	}
}
