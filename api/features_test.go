package api_test

import (
	"strings"
	"testing"

	"renga"
)

func TestFeaturesAreSwitched(t *testing.T) {
	rig := newRig(nil)
	res, body := rig.ask("PATCH", "/apps/hello/features/preboot", `{"enabled":false}`, nil)
	if res.StatusCode != 200 || !strings.Contains(body, `"enabled":false`) || rig.world.apps[hello].FeatureOn(renga.Preboot) {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
	if len(rig.world.woken) != 1 || !strings.Contains(rig.log.String(), `"action":"feature set"`) {
		t.Errorf("woken %v, log %s", rig.world.woken, rig.log)
	}
	_, list := rig.ask("GET", "/apps/hello/features", "", nil)
	if !strings.Contains(list, `"name":"preboot"`) || strings.Count(list, `"enabled":false`) != 2 { // the other one is a lab
		t.Errorf("list: %s", list)
	}
	if rig.ask("PATCH", "/apps/hello/features/preboot", `{"enabled":false}`, nil); len(rig.world.woken) != 1 {
		t.Error("what is off already was switched again")
	}
	if !rig.world.apps[hello].FeatureOn(renga.ReleaseOnPush) {
		t.Error("another feature was switched too")
	}
}

func TestFeaturesAreFound(t *testing.T) {
	id := fields(t, answerOf(newRig(nil), "/apps/hello/features"), "id")[0]
	run(t, []scenario{
		{name: "by id", url: "/apps/hello/features/" + id},
		{name: "unknown", url: "/apps/hello/features/spaces", status: 404, has: []string{`"resource":"feature"`}},
		{name: "without a word", method: "PATCH", url: "/apps/hello/features/preboot", body: `{}`, status: 422, has: []string{"enabled"}},
		{name: "of a wrong type", method: "PATCH", url: "/apps/hello/features/preboot", body: `{"enabled":"yes"}`, status: 422},
	})
}

// answerOf is the body of a GET.
func answerOf(r *rig, url string) string {
	_, body := r.ask("GET", url, "", nil)
	return body
}
