package api_test

import (
	"strings"
	"testing"
	"time"

	"renga"
)

// tried makes v4 a canary with some of its time left.
func tried(w *world) {
	w.canaries[4] = renga.DefaultCanary()
	w.outcomes[4] = renga.Outcome{Status: renga.Pending, At: born, CanaryUntil: born.Add(time.Minute)}
}

func TestReleasesAreMadeAsCanaries(t *testing.T) {
	const url = "/apps/hello/releases"
	noPreboot := func(w *world) {
		a := w.apps[hello]
		a.Features = map[string]bool{renga.Preboot: false}
		w.apps[hello] = a
	}
	run(t, []scenario{
		{name: "a rollback", method: "POST", url: url, body: `{"release":"v3","canary":{"percent":25,"seconds":60}}`, status: 201,
			has: []string{`"canary":{"percent":25,"seconds":60,"until":null}`}},
		{name: "the same again", method: "POST", url: url, body: `{"description":"again","canary":{}}`, status: 201,
			has: []string{`"canary":{"percent":10,"seconds":300,"until":null}`}},
		{name: "at once", method: "POST", url: url, body: `{"release":"v3"}`, status: 201, has: []string{`"canary":null`}},
		{name: "while it is tried", prepare: tried, url: url + "/4", has: []string{`"canary":{"percent":10,"seconds":300,"until":"2026-01-02T03:05:05Z"}`}},
		{name: "all requests", method: "POST", url: url, body: `{"release":"v3","canary":{"percent":100}}`, status: 422, has: []string{"Percent must be 1 to 99"}},
		{name: "none", method: "POST", url: url, body: `{"release":"v3","canary":{"percent":0}}`, status: 422},
		{name: "for ever", method: "POST", url: url, body: `{"release":"v3","canary":{"seconds":86401}}`, status: 422, has: []string{"Seconds must be 10 to 86,400"}},
		{name: "without preboot", prepare: noPreboot, method: "POST", url: url, body: `{"release":"v3","canary":{}}`, status: 422, has: []string{"preboot"}},
		{name: "the app's own without preboot", prepare: noPreboot, method: "PATCH", url: "/apps/hello/canary", body: `{}`, status: 422, has: []string{"preboot"}},
	})
}

func TestTheFormationReleasesImagesAsCanaries(t *testing.T) {
	for url, body := range map[string]string{
		"/apps/hello/formation":     `{"updates":[{"type":"web","docker_image":"fresh"}],"canary":{"percent":5}}`,
		"/apps/hello/formation/web": `{"docker_image":"fresh","canary":{"percent":5}}`,
	} {
		rig := newRig(nil)
		res, answer := rig.ask("PATCH", url, body, nil)
		if got := rig.world.canaries[5]; res.StatusCode != 200 || got != (renga.Canary{Percent: 5, For: 5 * time.Minute}) {
			t.Errorf("%s: %d %s, canary %+v", url, res.StatusCode, answer, got)
		}
	}
}

func TestAnAppsCanaryIsSetAndTakenAway(t *testing.T) {
	rig := newRig(nil)
	const url = "/apps/hello/canary"
	if _, body := rig.ask("GET", url, "", nil); !strings.Contains(body, `"percent":null,"seconds":300`) {
		t.Errorf("before: %s", body)
	}
	res, body := rig.ask("PATCH", url, `{"percent":20}`, nil)
	if res.StatusCode != 200 || !strings.Contains(body, `"percent":20,"seconds":300`) {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
	if _, body := rig.ask("PATCH", url, `{"seconds":60}`, nil); !strings.Contains(body, `"percent":20,"seconds":60`) {
		t.Errorf("changed: %s", body)
	}
	if got := rig.world.apps[hello].Canary; got != (renga.Canary{Percent: 20, For: time.Minute}) || !strings.Contains(rig.log.String(), `"action":"canary set"`) {
		t.Errorf("stored: %+v, log %s", got, rig.log)
	}
	if res, body := rig.ask("PATCH", url, `{"seconds":9}`, nil); res.StatusCode != 422 || !strings.Contains(body, "10 to 86,400") {
		t.Errorf("too short: %d %s", res.StatusCode, body)
	}
	if res, body := rig.ask("DELETE", url, "", nil); res.StatusCode != 200 || !strings.Contains(body, `"percent":20`) {
		t.Errorf("taken away: %d %s", res.StatusCode, body)
	}
	if rig.world.apps[hello].Canary.On() {
		t.Error("the canary is still there")
	}
}
