package api_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

// notes say what a link, or all of a resource, does here that its name does not
// tell. A link that is answered and always refused needs one.
var notes = map[string]string{
	"account/Delete":         "accounts stay, because releases name them; revoke their authorizations instead",
	"account/Delete By User": "accounts stay, because releases name them; revoke their authorizations instead",
	"account-feature":        "accounts have no features to switch",
	"oauth-client":           "there are no third parties' clients",
	"oauth-token":            "there are no third parties' clients",
	"add-on/List By Team":    "there are no teams",
	"build":                  "of archives; an image that comes built needs none",
	"release/Create": "A release is made of images, not of slugs; releases are rolled back here, and " +
		"pushed.",
	"generation/List by Team":      "there are no teams",
	"oci-image":                    "images are pushed, and named by their digests",
	"space/Info":                   "there are no private spaces",
	"space/List":                   "there are no private spaces, so the list is empty",
	"team/List":                    "there are no teams, so the list is empty",
	"team-app/Create":              "the same as creating an app",
	"team-app/Update Locked":       "an app can be left unlocked, and not be locked",
	"team/Info":                    "there are no teams",
	"team-app/List By Team":        "there are no teams",
	"team-app/Transfer to Account": "there are no teams",
	"team-app/Transfer to Team":    "there are no teams",
}

// noteOn is the note on a link, or else on its resource.
func noteOn(resource, title string) string {
	return cmp.Or(notes[resource+"/"+title], notes[resource])
}

// strangers are the resources of the schema that have no place here, by why.
var strangers = map[string][]string{
	"CI is not part of the platform": {"test-case", "test-node", "test-run"},
	"no money changes hands here": {
		"account-delinquency", "credit", "invoice", "invoice-address", "team-delinquency", "team-invoice",
		"team-daily-usage", "team-monthly-usage", "enterprise-account-daily-usage",
		"enterprise-account-monthly-usage",
	},
	"there is one organisation": {
		"archive", "audit-trail-event", "enterprise-account", "enterprise-account-member", "identity-provider",
	},
	"there are no recovery numbers": {"sms-number"},
	"logs go through log drains":    {"telemetry-drain"},
	"there are no private spaces": {
		"inbound-ruleset", "peering", "peering-info", "space-app-access", "space-nat", "space-topology",
		"space-transfer", "vpn-connection",
	},
	"collaborators share apps; no teams do": {
		"allowed-add-on-service", "permission-entity", "team-add-on", "team-app-permission", "team-feature",
		"team-invitation", "team-member", "team-preferences", "team-space",
	},
}

func TestTheSchemaIsThatOfHerokusClient(t *testing.T) {
	var want bytes.Buffer
	if err := json.Compact(&want, schemaText(t, "v6")); err != nil {
		t.Fatal(err)
	}
	if *rewrite {
		if err := os.WriteFile("schema/heroku.json", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("schema/heroku.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want.Bytes()) {
		t.Error("schema/heroku.json is not the schema of the heroku-go module; go generate writes it anew")
	}
}

func TestTheSchemaIsServedToAll(t *testing.T) {
	for _, at := range []string{"/schema", "/schema.json"} {
		res, body := newFixture(nil).Ask("GET", at, "", wiretest.Header("Authorization", ""))
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/schema+json" ||
			res.Header.Get("ETag") == "" {
			t.Fatalf("%s: %d %v", at, res.StatusCode, res.Header)
		}
		var schema struct {
			Definitions map[string]any `json:"definitions"`
			Links       []struct {
				Href string `json:"href"`
			} `json:"links"`
		}
		if err := json.Unmarshal([]byte(body), &schema); err != nil {
			t.Fatal(err)
		}
		if len(schema.Definitions) != 100 || len(schema.Links) == 0 ||
			schema.Links[0].Href != "http://api.renga.localhost:5000" {
			t.Errorf("%d definitions, links start at %v", len(schema.Definitions), schema.Links)
		}
	}
}

// TestEveryAnsweredLinkIsTested: whoever adds a route that the schema describes
// adds a row to implemented.
func TestEveryAnsweredLinkIsTested(t *testing.T) {
	tested := map[string]bool{}
	for _, row := range implemented {
		tested[row.resource+"/"+row.title] = true
	}
	links := readSchema(t).links(t)
	if len(links) != 305 {
		t.Errorf("the schema has %d links, want 305", len(links))
	}
	for _, l := range links {
		switch {
		case l.answered() && !tested[l.name()]:
			t.Errorf("%s %s answers %s, which has no row in implemented", l.method, l.path(), l.name())
		case !l.answered() && tested[l.name()]:
			t.Errorf("%s has a row in implemented, and no route answers %s %s", l.name(), l.method, l.path())
		}
	}
}

func TestLinksWithoutRouteAreNotFound(t *testing.T) {
	fixture := newFixture(nil)
	for _, l := range readSchema(t).links(t) {
		if l.answered() {
			continue
		}
		url := strings.NewReplacer(
			"{app}", "hello", "{team-app}", "hello", "{account}", "~", "{", "", "}", "",
		).Replace(l.path())
		res, body := fixture.Ask(l.method, url, "{}", nil)
		if res.StatusCode != 404 || !isError(body, "not_found") {
			t.Errorf("%s: %s %s gets %d: %s", l.name(), l.method, url, res.StatusCode, body)
		}
	}
}

// TestErrorsOfEveryLinkHaveHerokusForm makes each answered link fail in all the
// ways that all links have in common.
func TestErrorsOfEveryLinkHaveHerokusForm(t *testing.T) {
	hasBody := map[string]bool{}
	for _, l := range readSchema(t).links(t) {
		hasBody[l.name()] = l.hasBody && l.method != http.MethodGet && l.method != http.MethodDelete
	}
	for _, row := range implemented {
		t.Run(row.resource+"/"+row.title, func(t *testing.T) {
			fails := func(url, body string, headers map[string]string, status int, id string) {
				t.Helper()
				res, answer := newFull().Ask(row.method, url, body, headers)
				if res.StatusCode != status || !isError(answer, id) {
					t.Errorf(
						"%s %s with %s gets %d, want %d %s: %s", row.method, url, body, res.StatusCode, status, id,
						answer,
					)
				}
			}
			fails(row.url, row.body, wiretest.Header("Authorization", "Bearer nobody"), 401, "unauthorized")
			if gone := strings.Replace(row.url, "/apps/hello", "/apps/nobody", 1); gone != row.url {
				fails(gone, row.body, callerOf(row.resource, row.title), 404, "not_found")
			}
			if hasBody[row.resource+"/"+row.title] {
				fails(row.url, `{"`, callerOf(row.resource, row.title), 400, "bad_request")
				fails(row.url, `[]`, callerOf(row.resource, row.title), 422, "invalid_params")
			}
		})
	}
}

// isError tells whether a body is Heroku's form of an error with that id: a
// sentence for people, an id for programs, and nothing unknown.
func isError(body, id string) bool {
	var e struct {
		ID       string `json:"id"`
		Message  string `json:"message"`
		Resource string `json:"resource"`
		URL      string `json:"url"`
	}
	strict := json.NewDecoder(strings.NewReader(body))
	strict.DisallowUnknownFields()
	return strict.Decode(&e) == nil && e.ID == id && len(e.Message) > 3
}

func TestCoverageIsWrittenDown(t *testing.T) {
	writtenDown(t, "../docs/api-coverage.md", coverage(readSchema(t).links(t)))
}

// coverage is the document about what is answered.
func coverage(links []link) string {
	var table strings.Builder
	for _, l := range links {
		state, note := l.state()
		fmt.Fprintf(&table, "| %s | %s | `%s %s` | %s | %s |\n", l.resource, l.title, l.method, l.path(), state, note)
	}
	var doc strings.Builder
	fmt.Fprintf(&doc, `# What of Heroku's Platform API is answered

Written by a test of the api package from its own routes and from Heroku's schema (version 6.1.0 of
its Go client); a test fails when this file is stale. `+"`go test ./api -run Coverage -update`"+` writes it.

"refused" means answered, and always with an error that says why. What is not answered gets 404
`+"`not_found`"+`. Every answer is checked against the schema, and every error against Heroku's form of
errors. The schema itself is at `+"`/schema`"+`.

| Resource | Link | Request | Answered | Note |
|---|---|---|---|---|
%s
## Beyond the schema

| Request | Why |
|---|---|
`, table.String())
	for _, route := range paths() {
		if !slices.ContainsFunc(links, func(l link) bool { return answers(route, l) }) {
			fmt.Fprintf(&doc, "| `%s %s` | %s |\n", route[0], route[1], beyond[route[0]+" "+route[1]])
		}
	}
	return doc.String()
}

const ourUpgrades = "a newer version of an add-on's service, and the way back, see [Add-ons](addons.md#major-upgrades)"

const ourBackups = "backups of any add-on's data, see [Add-ons](addons.md#backups)"

// beyond says why there are routes that the schema does not describe.
var beyond = map[string]string{
	"POST /postgres/v0/databases/{addon}/credentials":                "`heroku pg:credentials:create`: says what to do instead",
	"DELETE /postgres/v0/databases/{addon}/credentials/{credential}": "`heroku pg:credentials:destroy`: says what to do instead",
	"POST /postgres/v0/databases/{addon}/repair-default":             "`heroku pg:credentials:repair-default`: says what to do instead",
	"GET /postgres/v0/databases/{addon}/config":                      "`heroku pg:settings`: says what to do instead",
	"PATCH /postgres/v0/databases/{addon}/config":                    "`heroku pg:settings`: says what to do instead",
	"GET /client/v11/databases/{addon}/links":                        "`heroku pg:links`: says what to do instead",
	"POST /client/v11/databases/{addon}/links":                       "`heroku pg:links`: says what to do instead",
	"PUT /client/v11/databases/{addon}/unfollow":                     "`heroku pg:unfollow`: says what to do instead",
	"PUT /client/v11/databases/{addon}/reset":                        "`heroku pg:reset`: says what to do instead",
	"PUT /client/v11/databases/{addon}/stats_reset":                  "`heroku pg:outliers --reset`: says what to do instead",
	"POST /client/v11/databases/{addon}/connection_reset":            "`heroku pg:killall`: says what to do instead",
	"POST /client/v11/databases/{addon}/connection-pooling":          "`heroku pg:connection-pooling:attach`: says what to do instead",
	"GET /client/v11/databases/{addon}/upgrade/wait_status":          "`heroku pg:upgrade:wait`",
	"POST /client/v11/databases/{addon}/upgrade/run":                 "`heroku pg:upgrade:run`",
	"POST /client/v11/databases/{addon}/upgrade/prepare":             "`heroku pg:upgrade:prepare`",
	"POST /client/v11/databases/{addon}/upgrade/dry_run":             "`heroku pg:upgrade:dryrun`",
	"POST /client/v11/databases/{addon}/upgrade/cancel":              "`heroku pg:upgrade:cancel`",
	"GET /data/maintenances/v1/{addon}":                              "`heroku data:maintenances`: says what to do instead",
	"GET /data/maintenances/v1/{addon}/window":                       "`heroku data:maintenances`: says what to do instead",
	"POST /data/maintenances/v1/{addon}/window":                      "`heroku data:maintenances`: says what to do instead",
	"POST /data/maintenances/v1/{addon}/schedule":                    "`heroku data:maintenances`: says what to do instead",
	"POST /data/maintenances/v1/{addon}/run":                         "`heroku data:maintenances`: says what to do instead",
	"GET /data/maintenances/v1/{addon}/history/":                     "`heroku data:maintenances`: says what to do instead",
	"PATCH /redis/v0/databases/{addon}/config":                       "`heroku redis:maxmemory`: says what to do instead",
	"POST /redis/v0/databases/{addon}/stats/reset":                   "`heroku redis:stats-reset`: says what to do instead",
	"POST /redis/v0/databases/{addon}/upgrade":                       "`heroku redis:upgrade`: says what to do instead",
	"GET /postgres/v0/databases/{addon}/credentials":                 "`heroku pg:credentials`",
	"GET /postgres/v0/databases/{addon}/credentials/{credential}":    "`heroku pg:credentials:url`",
	"GET /redis/v0/databases/{addon}/wait":                           "`heroku redis:wait`",
	"POST /redis/v0/databases/{addon}/credentials_rotation":          "`heroku redis:credentials --reset`",

	"POST /account/keys":                            "`heroku keys:add`",
	"DELETE /account/keys/{key}":                    "`heroku keys:remove`",
	"GET /oauth/sessions":                           "`heroku sessions`; there are none",
	"DELETE /oauth/sessions/{session}":              "`heroku logout`; there are none",
	"GET /apps/{app}/usage":                         "`heroku usage:addons`",
	"GET /addons/{addon}/config/{namespace}":        "`heroku addons:attach --credential`: whether there is such a credential",
	"GET /apps/{app}/addons/{addon}/sso":            "`heroku addons:open`: the form that opens a partner's add-on",
	"POST /apps/{app}/addons/{addon}/tunnel":        "lets a client connect to an add-on, over WebSocket: `renga tunnel`",
	"POST /addons/{addon}/actions/rotate":           "replaces a credential, see addons.md",
	"GET /client/v11/databases/{addon}":             "`heroku pg:info`, `pg:promote`",
	"GET /client/v11/databases/{addon}/wait_status": "`heroku pg:wait`, `pg:promote`",
	"GET /redis/v0/databases/{addon}":               "`heroku redis:info`",

	"GET /client/v11/apps/{app}/transfers":                                "`heroku pg:backups`",
	"GET /client/v11/apps/{app}/transfers/{transfer}":                     "`heroku pg:backups:info`",
	"DELETE /client/v11/apps/{app}/transfers/{transfer}":                  "`heroku pg:backups:delete`",
	"POST /client/v11/apps/{app}/transfers/{transfer}/actions/cancel":     "`heroku pg:backups:cancel`",
	"POST /client/v11/apps/{app}/transfers/{transfer}/actions/public-url": "`heroku pg:backups:url`, `pg:backups:download`",
	"POST /client/v11/databases/{addon}/backups":                          "`heroku pg:backups:capture`",
	"POST /client/v11/databases/{addon}/transfers":                        "`heroku pg:copy`",
	"POST /client/v11/databases/{addon}/restores":                         "`heroku pg:backups:restore`",
	"GET /client/v11/databases/{addon}/transfer-schedules":                "`heroku pg:backups:schedules`",
	"POST /client/v11/databases/{addon}/transfer-schedules":               "`heroku pg:backups:schedule`",
	"DELETE /client/v11/databases/{addon}/transfer-schedules/{schedule}":  "`heroku pg:backups:unschedule`",
	"GET /addons/{addon}/backup-schedules":                                ourBackups,
	"POST /addons/{addon}/backup-schedules":                               ourBackups,
	"DELETE /addons/{addon}/backup-schedules/{schedule}":                  ourBackups,
	"GET /addons/{addon}/upgrade":                                         ourUpgrades,
	"POST /addons/{addon}/upgrade":                                        ourUpgrades,
	"DELETE /addons/{addon}/upgrade":                                      ourUpgrades,
	"POST /addons/{addon}/upgrade/actions/undo":                           ourUpgrades,
	"GET /addons/{addon}/usage":                                           "what it uses, and of how much",
	"GET /addons/{addon}/backups":                                         ourBackups,
	"POST /addons/{addon}/backups":                                        ourBackups,
	"GET /addons/{addon}/backups/{backup}":                                ourBackups,
	"DELETE /addons/{addon}/backups/{backup}":                             ourBackups,
	"POST /addons/{addon}/backups/{backup}/actions/restore":               ourBackups,
	"POST /addons/{addon}/backups/{backup}/actions/cancel":                ourBackups,
	"POST /addons/{addon}/backups/{backup}/actions/download":              ourBackups,

	"POST /postgres/v0/databases/{addon}/credentials_rotation":                          "`heroku pg:credentials:rotate --all`",
	"GET /apps/{app}/imports":                                                           "images of other registries, on their way",
	"GET /apps/{app}/imports/{import}":                                                  "one of them",
	"POST /apps/{app}/imports/{import}/actions/replay":                                  "asks for the same once more",
	"GET /apps/{app}/registry-webhooks":                                                 "what other registries may tell the app of",
	"POST /apps/{app}/registry-webhooks":                                                "adds one, and shows its secret once",
	"GET /apps/{app}/registry-webhooks/{webhook}":                                       "one of them",
	"DELETE /apps/{app}/registry-webhooks/{webhook}":                                    "removes it",
	"GET /apps/{app}/registry-webhooks/{webhook}/notices":                               "what came for it, and what became of that",
	"POST /webhooks/registry/{source}/{owner}/{webhook}":                                "a registry's notice, proven by the webhook's secret",
	"GET /apps/{app}/registry-credentials":                                              "what the app logs in to other registries with",
	"PUT /apps/{app}/registry-credentials/{host}":                                       "sets that",
	"DELETE /apps/{app}/registry-credentials/{host}":                                    "removes it",
	"POST /postgres/v0/databases/{addon}/credentials/{credential}/credentials_rotation": "`heroku pg:credentials:rotate`",
	"GET /apps/{app}/releases/{release}/diff":                                           "what two releases differ in",
	"GET /api/v2":        "`heroku ps:exec --status`",
	"PUT /api/v2/{dyno}": "`heroku ps:exec`, `ps:copy`, `ps:forward`, `ps:socks`",
	"POST /apps/{app}/dynos/{dyno}/exec": "runs a command in a running dyno, over WebSocket; see [Beyond " +
		"Heroku](beyond-heroku.md)",
	"GET /apps/{app}/metrics": "what dynos used and did, by the minute; see [Beyond " +
		"Heroku](beyond-heroku.md)",
	"GET /apps/{app}/health-check":                "how web dynos are asked whether they are well",
	"PATCH /apps/{app}/health-check":              "asks them by HTTP, see health-checks.md",
	"DELETE /apps/{app}/health-check":             "asks them no more",
	"GET /apps/{app}/sleep":                       "whether the app sleeps; see [Sleep](sleep.md)",
	"GET /apps/{app}/registry":                    "what the registry goes by with an app's images; see [Images](images.md)",
	"PATCH /apps/{app}/registry":                  "opens them to everybody, keeps tags from being moved, asks for signatures",
	"GET /apps/{app}/retention":                   "how many releases keep their images; see [Space](space.md)",
	"PATCH /apps/{app}/retention":                 "keeps more or fewer",
	"POST /platform/collections":                  "`renga gc`: frees what nothing needs, or says how much that is; see [Space](space.md)",
	"GET /platform/collections":                   "what the last ones did",
	"GET /platform/disk":                          "`renga du`: what takes up the disk, app by app",
	"PATCH /platform/apps/{name}":                 "sets what an app may have in the registry",
	"GET /apps/{app}/disk":                        "what an app takes up",
	"PATCH /apps/{app}/sleep":                     "has it sleep after a time without requests",
	"GET /apps/{app}/images":                      "what was pushed; see [Beyond Heroku](beyond-heroku.md#images)",
	"GET /apps/{app}/images/{process}/{digest}":   "one of them, with its layers, labels and referrers",
	"GET /apps/{app}/tags":                        "the tags of its repositories",
	"GET /platform/webhooks":                      "that tell of all apps; see [Logs](logs.md#what-is-pushed-and-pulled)",
	"POST /platform/webhooks":                     "one more",
	"GET /platform/webhooks/{webhook}":            "one of them",
	"PATCH /platform/webhooks/{webhook}":          "changes one",
	"DELETE /platform/webhooks/{webhook}":         "removes one",
	"GET /platform/webhook-events":                "what they are told",
	"GET /platform/webhook-events/{event}":        "one event",
	"GET /platform/webhook-deliveries":            "how their deliveries fare",
	"GET /platform/webhook-deliveries/{delivery}": "one delivery",

	"POST /apps/{app}/releases/{release}/actions/cancel": "calls off a release that has not taken over, see " +
		"deploys.md",
	"POST /apps/{app}/releases/{release}/actions/complete": "has a canary take over now, see deploys.md",
	"GET /apps/{app}/canary":                               "how images that are pushed take over",
	"PATCH /apps/{app}/canary":                             "has them take some of the requests first, see deploys.md",
	"DELETE /apps/{app}/canary":                            "has them take over at once",

	"GET /apps/{app}/schedules": "one-off dynos by crontab lines; see " +
		"[Schedules](schedules.md)",
	"POST /apps/{app}/schedules":                        "adds a schedule",
	"GET /apps/{app}/schedules/{schedule}":              "a schedule, by id or name, with its last run",
	"PATCH /apps/{app}/schedules/{schedule}":            "changes it",
	"DELETE /apps/{app}/schedules/{schedule}":           "removes it",
	"GET /apps/{app}/schedules/{schedule}/runs":         "its runs, the newest first",
	"POST /apps/{app}/schedules/{schedule}/actions/run": "runs its command once, now",
}

func TestRoutesBeyondTheSchemaSayWhy(t *testing.T) {
	links := readSchema(t).links(t)
	for _, route := range paths() {
		described := slices.ContainsFunc(links, func(l link) bool { return answers(route, l) })
		if !described && beyond[route[0]+" "+route[1]] == "" {
			t.Errorf("the schema does not describe %s %s: say in beyond what it is for", route[0], route[1])
		}
	}
}

// state is how a link is answered, and the note on it.
func (l link) state() (state, note string) {
	note = noteOn(l.resource, l.title)
	if !l.answered() {
		for why, resources := range strangers {
			if slices.Contains(resources, l.resource) && note == "" {
				note = why
			}
		}
		return "no", note
	}
	for _, row := range implemented {
		if row.resource == l.resource && row.title == l.title && row.status >= 400 {
			return "refused", note
		}
	}
	return "yes", note
}
