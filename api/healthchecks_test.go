package api_test

import (
	"strings"
	"testing"
	"time"

	"renga"
)

func TestAHealthCheckIsSetAndTakenAway(t *testing.T) {
	rig := newRig(nil)
	const url = "/apps/hello/health-check"
	if _, body := rig.ask("GET", url, "", nil); !strings.Contains(body, `"interval":10,"path":null,"threshold":3,"timeout":5`) {
		t.Errorf("before: %s", body)
	}
	res, body := rig.ask("PATCH", url, `{"path":"/health?deep=1","interval":30}`, nil)
	if res.StatusCode != 200 || !strings.Contains(body, `"interval":30,"path":"/health?deep=1","threshold":3,"timeout":5`) {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
	want := renga.HealthCheck{Path: "/health?deep=1", Interval: 30 * time.Second, Timeout: 5 * time.Second, Threshold: 3}
	if got := rig.world.apps[hello].HealthCheck; got != want {
		t.Errorf("stored: %+v", got)
	}
	if len(rig.world.woken) != 1 || !strings.Contains(rig.log.String(), `"action":"health check set"`) {
		t.Errorf("woken %v, log %s", rig.world.woken, rig.log)
	}
	if _, body := rig.ask("PATCH", url, `{"threshold":1}`, nil); !strings.Contains(body, `"interval":30,"path":"/health?deep=1","threshold":1`) {
		t.Errorf("changed: %s", body)
	}
	if res, body := rig.ask("DELETE", url, "", nil); res.StatusCode != 200 || !strings.Contains(body, `"path":"/health?deep=1"`) {
		t.Errorf("taken away: %d %s", res.StatusCode, body)
	}
	if rig.world.apps[hello].HealthCheck.On() {
		t.Error("the check is still there")
	}
}

func TestAHealthCheckIsJudged(t *testing.T) {
	var all []scenario
	for body, word := range map[string]string{
		`{}`: "Path", `{"path":"health"}`: "Path", `{"path":"//elsewhere/"}`: "Path", `{"path":"/a b"}`: "Path", `{"path":3}`: "path",
		`{"path":"/","interval":0}`: "Interval", `{"path":"/","timeout":61}`: "Timeout", `{"path":"/","threshold":0}`: "Threshold",
	} {
		all = append(all, scenario{name: body, method: "PATCH", url: "/apps/hello/health-check", body: body, status: 422, has: []string{word}})
	}
	run(t, all)
}
