package api_test

import (
	"testing"

	"renga/api/wire/wiretest"
)

const helloDisk = `"content_alone_bytes":50,"content_shared_bytes":20,"logs_bytes":8,"outputs_bytes":7,` +
	`"quota_bytes":5000000,"total_bytes":99,"uploads_bytes":9`

func TestWhatTakesUpTheDiskIsToldToTheOperator(t *testing.T) {
	run(t, []scenario{
		{Name: "all", URL: "/platform/disk", Status: 200, Has: []string{
			`"apps":[{"addons_bytes":3,`, helloDisk, `"name":"small"`, `"level":"low"`, `"free_bytes":400`, `"total_bytes":1000`,
			`"low_below_bytes":500`, `"full_below_bytes":100`, `"content":30`, `"redis":3`,
		}},
		{Name: "to nobody else", URL: "/platform/disk", Headers: wiretest.Bearer("carol-token"), Status: 403,
			Has: []string{"Only the platform's operator"}},
		{Name: "one app to its owner", URL: "/apps/hello/disk", Status: 200, Has: []string{helloDisk}},
		{Name: "not to a stranger", URL: "/apps/hello/disk", Headers: wiretest.Bearer("bob-token"), Status: 403},
	})
}

func TestTheOperatorSetsQuotas(t *testing.T) {
	const url = "/platform/apps/hello"
	run(t, []scenario{
		{Name: "a quota", Method: "PATCH", URL: url, Body: `{"quota_bytes":3000000}`, Status: 200,
			Has: []string{`"quota_bytes":3000000`}, After: wiretest.Audited("quota set")},
		{Name: "none of its own", Method: "PATCH", URL: url, Body: `{"quota_bytes":null}`, Status: 200,
			Has: []string{`"quota_bytes":5000000`}},
		{Name: "too small", Method: "PATCH", URL: url, Body: `{"quota_bytes":10}`, Status: 422, Has: []string{"at least 1000000 bytes"}},
		{Name: "of no app", Method: "PATCH", URL: "/platform/apps/nothing", Body: `{"quota_bytes":3000000}`, Status: 404},
		{Name: "by a collaborator", Method: "PATCH", URL: url, Body: `{"quota_bytes":3000000}`,
			Headers: wiretest.Bearer("carol-token"), Status: 403, Has: []string{"Only the platform's operator"}},
	})
	fixture := newSeeded()
	fixture.Ask("PATCH", url, `{"quota_bytes":3000000}`, nil)
	if got := fixture.App(t, wiretest.Hello).DiskQuota; got != 3_000_000 {
		t.Errorf("stored: %d", got)
	}
	fixture.Ask("PATCH", url, `{"quota_bytes":null}`, nil)
	if got := fixture.App(t, wiretest.Hello).DiskQuota; got != 0 {
		t.Errorf("stored: %d", got)
	}
}

func TestPastCollectionsAreListedForTheOperator(t *testing.T) {
	run(t, []scenario{
		{Name: "the last", URL: "/platform/collections", Status: 200, Has: []string{
			`"marked":6`, `"removed":5`, `"longest_wait_ms":1`, `"fault":"Redis was away."`}},
		{Name: "to nobody else", URL: "/platform/collections", Headers: wiretest.Bearer("carol-token"), Status: 403},
	})
}
