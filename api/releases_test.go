package api_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"renga"
)

// idOf asks for the id of a release of hello.
func idOf(t *testing.T, rig *rig, version int) string {
	t.Helper()
	_, body := rig.ask("GET", "/apps/hello/releases/"+renga.VersionName(version), "", nil)
	var release struct{ ID string }
	if err := json.Unmarshal([]byte(body), &release); err != nil || release.ID == "" {
		t.Fatalf("no release: %s", body)
	}
	return release.ID
}

func TestReleases(t *testing.T) {
	third := idOf(t, newRig(nil), 3)
	run(t, []scenario{
		{name: "by version", url: "/apps/hello/releases/3", has: []string{`"version":3`, `"id":"` + third, `"current":true`, `"eligible_for_rollback":true`, `"reason":null`, `"log":[]`, `"web":"sha256:`}},
		{name: "by v version", url: "/apps/hello/releases/v3", has: []string{`"version":3`}},
		{name: "by id", url: "/apps/hello/releases/" + third, has: []string{`"version":3`}},
		{name: "failed, with reason and log", url: "/apps/hello/releases/4", has: []string{`"status":"failed"`, `"current":false`, `"reason":"web.1 exited with status 1."`, `"log":["boom"]`, `"updated_at":"2026-01-02T04:04:05Z"`}},
		{name: "not eligible, with reason", url: "/apps/hello/releases/1", has: []string{`"eligible_for_rollback":false`, `"reason":"v1 cannot be rolled back to."`}},
		{name: "pending, without a word of rollbacks", url: "/apps/hello/releases/4", prepare: pendingFourth, has: []string{`"status":"pending"`, `"eligible_for_rollback":false`, `"reason":null`}},
		{name: "lists leave the log out", url: "/apps/hello/releases", has: []string{`"log":null`}, hasNot: []string{"boom"}},
		{name: "superseded is succeeded", url: "/apps/hello/releases/2", prepare: func(w *world) {
			w.outcomes[2] = renga.Outcome{Status: renga.Superseded, At: born}
		}, has: []string{`"status":"succeeded"`}},
		{name: "by somebody who is gone", url: "/apps/hello/releases/2", prepare: func(w *world) {
			w.releases[hello][1].By = "somebody"
		}, has: []string{`"user":{"email":"unknown@renga.localhost","id":"00000000-0000-0000-0000-000000000000"}`}},
		{name: "unknown version", url: "/apps/hello/releases/99", status: 404, has: []string{`"resource":"release"`, `Couldn't find that release.`}},
		{name: "no version", url: "/apps/hello/releases/0", status: 404},
		{name: "huge version", url: "/apps/hello/releases/99999999999999999999", status: 404},
		{name: "unknown id", url: "/apps/hello/releases/" + string(hello), status: 404},
		{name: "of another", url: "/apps/other/releases", status: 403},
	})
}

func TestRollback(t *testing.T) {
	third := idOf(t, newRig(nil), 3)
	rolled := []string{`"version":5`, `"description":"Rollback to v3 `}
	refused := func(name, body, message string) scenario {
		return scenario{name: name, method: "POST", url: "/apps/hello/releases", body: body, status: 422, has: []string{`"id":"invalid_params"`, message}}
	}
	run(t, []scenario{
		{name: "to an id", method: "POST", url: "/apps/hello/releases", body: `{"release":"` + third + `"}`, status: 201, has: rolled, after: audited("rolled back")},
		{name: "to a version", method: "POST", url: "/apps/hello/releases", body: `{"release":"v3"}`, status: 201, has: rolled},
		{name: "to a number", method: "POST", url: "/apps/hello/releases", body: `{"release":3}`, status: 201, has: rolled},
		{name: "of code only", method: "POST", url: "/apps/hello/releases", body: `{"release":3,"part":"code"}`, status: 201, has: []string{"Rollback to v3 code"}},
		{name: "of config only", method: "POST", url: "/apps/hello/releases", body: `{"release":3,"part":"config"}`, status: 201, has: []string{"Rollback to v3 config"}},
		refused("of something else", `{"release":3,"part":"all"}`, `Part must be`),
		refused("to a failed one", `{"release":"v4"}`, `v4 cannot be rolled back to.`),
		refused("to one without images", `{"release":"v1"}`, `v1 cannot be rolled back to.`),
		refused("to a missing version", `{"release":"v99"}`, `no such release`),
		refused("to a missing id", `{"release":"`+string(hello)+`"}`, `hello has no release`),
		refused("to nonsense", `{"release":"latest"}`, `hello has no release latest.`),
		refused("to nothing", `{}`, `Name the release to roll back to`),
		refused("to a list", `{"release":[3]}`, `A release is named by its id or its version.`),
		refused("of a slug", `{"slug":"`+third+`"}`, `push an image instead`),
	})
}

func TestReleaseDiff(t *testing.T) {
	run(t, []scenario{
		{name: "with the one before", url: "/apps/hello/releases/4/diff", has: []string{
			`"from":"v3","to":"v4"`, `"added":{"worker":"sha256:`, `"changed":{"web":{"from":"sha256:`,
			`"config_vars":{"added":[],"changed":["COLOR"],"removed":[]}`,
		}, hasNot: []string{"red", "blue", marker, `"values"`}},
		{name: "with another", url: "/apps/hello/releases/v2/diff?against=v4", has: []string{`"from":"v4","to":"v2"`, `"removed":{"worker":`, `"removed":["COLOR","SECRET"]`}},
		{name: "with values", url: "/apps/hello/releases/4/diff?against=2&values=true", has: []string{`"values":{"added":{"COLOR":"blue","SECRET":"` + marker + `"}`}},
		{name: "of the first", url: "/apps/hello/releases/1/diff", has: []string{`{"from":null,"to":"v1","images":{"added":{},"changed":{},"removed":{}},"config_vars":{"added":[],"changed":[],"removed":[]}}`}},
		{name: "of a missing one", url: "/apps/hello/releases/99/diff", status: 404},
		{name: "with a missing one", url: "/apps/hello/releases/4/diff?against=v99", status: 404},
		{name: "with nonsense", url: "/apps/hello/releases/4/diff?against=x", status: 404},
	})
}

func TestListsAreAnsweredWhenEligibilityIsNotKnown(t *testing.T) {
	rig := newRig(nil)
	rig.world.blind = errors.New("read " + marker)
	res, body := rig.ask("GET", "/apps/hello/releases", "", nil)
	if res.StatusCode != http.StatusOK || !strings.Contains(body, "could not be found out; try again") || strings.Contains(body, marker) {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
	if !strings.Contains(rig.log.String(), "eligibility of a release is not known") {
		t.Errorf("the log lacks the cause: %s", rig.log)
	}
}

func TestCurrentIsTheReleaseThatServes(t *testing.T) {
	rig := newRig(nil)
	res, body := rig.ask("GET", "/apps/hello/releases", "", nil)
	if res.StatusCode != http.StatusOK {
		t.Fatal(body)
	}
	var list []struct {
		Version int
		Current bool
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if r.Current != (r.Version == 3) {
			t.Errorf("v%d has current %v; v4 failed and v3 serves", r.Version, r.Current)
		}
	}
}

func TestReleasesAreMadeOfStoredImages(t *testing.T) {
	rig := newRig(nil)
	made := func(body string, has ...string) {
		t.Helper()
		scenario{method: "POST", url: "/apps/hello/releases", body: body, status: 201, has: has}.play(t, rig)
	}
	made(`{"oci_image":"fresh","description":"by a tag"}`, `"version":5`, `"description":"by a tag"`, `"artifacts":[{"type":"oci-image","id":"`)
	newest := rig.world.releases[hello][4]
	if newest.Inputs.Images[renga.Web].Digest != image(renga.Web, 9).Digest {
		t.Errorf("released %+v", newest.Inputs.Images)
	}
	_, body := rig.ask("GET", "/apps/hello/releases/5", "", nil)
	var release struct {
		Artifacts []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(body), &release); err != nil || len(release.Artifacts) == 0 {
		t.Fatalf("%v: %s", err, body)
	}
	for _, one := range release.Artifacts {
		made(`{"oci_image":"`+one.ID+`"}`, `"artifacts":[{"type":"oci-image","id":"`)
	}
	for body, says := range map[string]string{
		`{"oci_image":"` + offerID + `"}`:      "name it by its digest",
		`{"oci_image":"nothing"}`:              "No image nothing was pushed",
		`{"oci_image":"fresh","release":"v3"}`: "two releases",
		`{"oci_image":7}`:                      "must be a string",
	} {
		scenario{method: "POST", url: "/apps/hello/releases", body: body, status: 422, has: []string{says}}.play(t, rig)
	}
}
