package api_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"renga/api/wire/wiretest"
)

// implemented are the links of Heroku's schema that the API answers, each with
// a request that gets its good answer.
var implemented = []struct {
	resource, title string
	method, url     string
	body            string
	status          int
}{
	{"account", "Info", "GET", "/account", "", 200},
	{"account", "Info By User", "GET", "/users/~", "", 200},
	{"account", "Update", "PATCH", "/account", `{"name":"Ada"}`, 200},
	{"account", "Update By User", "PATCH", "/users/~", `{"allow_tracking":true,"beta":true}`, 200},
	{"account", "Delete", "DELETE", "/account", "", 403},
	{"account", "Delete By User", "DELETE", "/users/~", "", 403},
	{"account-feature", "Info", "GET", "/account/features/preboot", "", 404},
	{"account-feature", "List", "GET", "/account/features", "", 200},
	{"account-feature", "Update", "PATCH", "/account/features/preboot", `{"enabled":true}`, 404},
	{"add-on", "List", "GET", "/addons", "", 200},
	{"add-on", "List By User", "GET", "/users/~/addons", "", 200},
	{"add-on", "List By App", "GET", "/apps/hello/addons", "", 200},
	{"add-on", "Info", "GET", "/addons/postgresql-curved-12345", "", 200},
	{"add-on", "Info By App", "GET", "/apps/hello/addons/postgresql-curved-12345", "", 200},
	{
		"add-on", "Create", "POST", "/apps/hello/addons",
		`{"plan":"heroku-redis:mini","attachment":{"name":"CACHE"},"config":{"version":"7"},"confirm":"hello",` +
			`"name":"cache"}`, 201,
	},
	{
		"add-on", "Update", "PATCH", "/apps/hello/addons/postgresql-curved-12345",
		`{"plan":"heroku-postgresql:standard-0","name":"ledger"}`, 200,
	},
	{"add-on", "Delete", "DELETE", "/apps/hello/addons/" + string(wiretest.OwnCache), "", 200},
	{
		"add-on", "Resolution", "POST", "/actions/addons/resolve",
		`{"addon":"DATABASE_URL","app":"hello","addon_service":"heroku-postgresql"}`, 200,
	},
	{
		"add-on-attachment", "Create", "POST", "/addon-attachments",
		`{"addon":"postgresql-curved-12345","app":"hello","confirm":"hello","name":"BOOKS",` +
			`"namespace":"credential:default"}`, 201,
	},
	{"add-on-attachment", "Delete", "DELETE", "/addon-attachments/" + wiretest.AsLedger, "", 200},
	{"add-on-attachment", "List", "GET", "/addon-attachments", "", 200},
	{"add-on-attachment", "List by Add-on", "GET", "/addons/postgresql-curved-12345/addon-attachments", "", 200},
	{"add-on-attachment", "List by App", "GET", "/apps/hello/addon-attachments", "", 200},
	{"add-on-attachment", "Info", "GET", "/addon-attachments/" + wiretest.AsDatabase, "", 200},
	{"add-on-attachment", "Info by App", "GET", "/apps/hello/addon-attachments/DATABASE", "", 200},
	{
		"add-on-attachment", "Resolution", "POST", "/actions/addon-attachments/resolve",
		`{"addon_attachment":"DATABASE_URL","app":"hello","addon_service":"heroku-postgresql"}`, 200,
	},
	{"add-on-action", "Provision", "POST", "/addons/postgresql-curved-12345/actions/provision", "", 200},
	{"add-on-action", "Deprovision", "POST", "/addons/postgresql-curved-12345/actions/deprovision", "", 200},
	{"add-on-config", "Update", "PATCH", "/addons/postgresql-curved-12345/config",
		`{"config":[{"name":"DATABASE_URL","value":"postgres://x"}]}`, 200},
	{"add-on-config", "List", "GET", "/addons/postgresql-curved-12345/config", "", 200},
	{"add-on-region-capability", "List", "GET", "/addon-region-capabilities", "", 200},
	{
		"add-on-region-capability", "List by Add-on Service", "GET",
		"/addon-services/heroku-postgresql/region-capabilities", "", 200,
	},
	{"add-on-region-capability", "List By Region", "GET", "/regions/us/addon-region-capabilities", "", 200},
	{"add-on-service", "Info", "GET", "/addon-services/heroku-postgresql", "", 200},
	{"add-on-service", "List", "GET", "/addon-services", "", 200},
	{"app", "Create", "POST", "/apps", `{"name":"fresh"}`, 201},
	{"app", "Delete", "DELETE", "/apps/hello", "", 200},
	{"app", "Disable ACM", "DELETE", "/apps/hello/acm", "", 200},
	{"app", "Enable ACM", "POST", "/apps/hello/acm", "", 200},
	{"app", "Info", "GET", "/apps/hello", "", 200},
	{"app", "List", "GET", "/apps", "", 200},
	{"app", "List Owned and Collaborated", "GET", "/users/~/apps", "", 200},
	{"app", "Refresh ACM", "PATCH", "/apps/hello/acm", `{"acm_refresh":true}`, 200},
	{"app", "Update", "PATCH", "/apps/hello", `{"maintenance":true}`, 200},
	{"app-feature", "Info", "GET", "/apps/hello/features/preboot", "", 200},
	{"app-feature", "List", "GET", "/apps/hello/features", "", 200},
	{"app-feature", "Update", "PATCH", "/apps/hello/features/preboot", `{"enabled":false}`, 200},
	{
		"app-transfer", "Create", "POST", "/account/app-transfers",
		`{"app":"hello","recipient":"carol@example.com","silent":true}`, 201,
	},
	{"app-transfer", "Delete", "DELETE", "/account/app-transfers/" + wiretest.OfferID, "", 200},
	{"app-transfer", "Info", "GET", "/account/app-transfers/" + wiretest.OfferID, "", 200},
	{"app-transfer", "List", "GET", "/account/app-transfers", "", 200},
	{"app-transfer", "Update", "PATCH", "/account/app-transfers/" + wiretest.Offers[1].ID, `{"state":"accepted"}`, 200},
	{"build", "Create", "POST", "/apps/hello/builds", `{"source_blob":{"url":"https://example.com/a.tgz","version":"v1"}}`, 201},
	{"build", "Info", "GET", "/apps/hello/builds/" + buildID, "", 200},
	{"build", "List", "GET", "/apps/hello/builds", "", 200},
	{"build", "Cancel", "DELETE", "/apps/hello/builds/" + buildID, "", 200},
	{"build", "Delete cache", "DELETE", "/apps/hello/build-cache", "", 200},
	{"buildpack-installation", "List", "GET", "/apps/hello/buildpack-installations", "", 200},
	{
		"buildpack-installation", "Update", "PUT", "/apps/hello/buildpack-installations",
		`{"updates":[{"buildpack":"https://example.com/a.tgz"}]}`, 200,
	},
	{
		"app-webhook", "Create", "POST", "/apps/hello/webhooks",
		`{"include":["api:release"],"level":"notify","url":"https://example.com/in"}`, 201,
	},
	{"app-webhook", "Delete", "DELETE", "/apps/hello/webhooks/60000000-0000-4000-8000-000000000001", "", 200},
	{"app-webhook", "Info", "GET", "/apps/hello/webhooks/60000000-0000-4000-8000-000000000001", "", 200},
	{"app-webhook", "List", "GET", "/apps/hello/webhooks", "", 200},
	{
		"app-webhook", "Update", "PATCH", "/apps/hello/webhooks/60000000-0000-4000-8000-000000000001",
		`{"level":"notify"}`, 200,
	},
	{
		"app-webhook-delivery", "Info", "GET", "/apps/hello/webhook-deliveries/62000000-0000-4000-8000-000000000001",
		"", 200,
	},
	{"app-webhook-delivery", "List", "GET", "/apps/hello/webhook-deliveries", "", 200},
	{
		"add-on-webhook", "Create", "POST", "/addons/" + string(wiretest.Database) + "/webhooks",
		`{"include":["api:release"],"level":"sync","url":"https://hooks.example.com/partner"}`, 201,
	},
	{"add-on-webhook", "Delete", "DELETE", "/addons/postgresql-curved-12345/webhooks/" + wiretest.PartnerHook, "", 200},
	{"add-on-webhook", "Info", "GET", "/addons/postgresql-curved-12345/webhooks/" + wiretest.PartnerHook, "", 200},
	{"add-on-webhook", "List", "GET", "/addons/postgresql-curved-12345/webhooks", "", 200},
	{
		"add-on-webhook", "Update", "PATCH", "/addons/postgresql-curved-12345/webhooks/" + wiretest.PartnerHook,
		`{"level":"notify"}`, 200,
	},
	{
		"add-on-webhook-delivery", "Info", "GET",
		"/addons/postgresql-curved-12345/webhook-deliveries/" + wiretest.PartnerDelivery, "", 200,
	},
	{"add-on-webhook-delivery", "List", "GET", "/addons/postgresql-curved-12345/webhook-deliveries", "", 200},
	{
		"add-on-webhook-event", "Info", "GET",
		"/addons/postgresql-curved-12345/webhook-events/61000000-0000-4000-8000-000000000001", "", 200,
	},
	{"add-on-webhook-event", "List", "GET", "/addons/postgresql-curved-12345/webhook-events", "", 200},
	{"app-webhook-event", "Info", "GET", "/apps/hello/webhook-events/61000000-0000-4000-8000-000000000001", "", 200},
	{"app-webhook-event", "List", "GET", "/apps/hello/webhook-events", "", 200},
	{"collaborator", "Create", "POST", "/apps/hello/collaborators", `{"user":"Bob@example.com","silent":true}`, 201},
	{"collaborator", "Delete", "DELETE", "/apps/hello/collaborators/carol@example.com", "", 200},
	{"collaborator", "Info", "GET", "/apps/hello/collaborators/carol@example.com", "", 200},
	{"collaborator", "List", "GET", "/apps/hello/collaborators", "", 200},
	{"config-var", "Info for App", "GET", "/apps/hello/config-vars", "", 200},
	{"config-var", "Info for App Release", "GET", "/apps/hello/releases/3/config-vars", "", 200},
	{"config-var", "Update", "PATCH", "/apps/hello/config-vars", `{"A":"b","COLOR":null}`, 200},
	{"domain", "Create", "POST", "/apps/hello/domains", `{"hostname":"new.example.com","sni_endpoint":null}`, 201},
	{"domain", "Delete", "DELETE", "/apps/hello/domains/www.example.com", "", 200},
	{"domain", "Info", "GET", "/apps/hello/domains/www.example.com", "", 200},
	{"domain", "List", "GET", "/apps/hello/domains", "", 200},
	{
		"domain", "Update", "PATCH", "/apps/hello/domains/www.example.com",
		`{"sni_endpoint":"` + wiretest.EndpointID + `"}`, 200,
	},
	{"dyno", "Create", "POST", "/apps/hello/dynos", `{"command":"bash","attach":true}`, 201},
	{"dyno", "Info", "GET", "/apps/hello/dynos/web.1", "", 200},
	{"dyno", "List", "GET", "/apps/hello/dynos", "", 200},
	{"dyno", "Restart", "DELETE", "/apps/hello/dynos/web.1", "", 202},
	{"dyno", "Restart all", "DELETE", "/apps/hello/dynos", "", 202},
	{"dyno", "Restart formation", "DELETE", "/apps/hello/formations/web", "", 202},
	{"dyno", "Stop formation", "POST", "/apps/hello/formations/web/actions/stop", "", 202},
	{"dyno", "Stop", "POST", "/apps/hello/dynos/web.1/actions/stop", "", 202},
	{"dyno-size", "Info", "GET", "/dyno-sizes/eco", "", 200},
	{"dyno-size", "List", "GET", "/dyno-sizes", "", 200},
	{"dyno-size", "List App Dyno Sizes", "GET", "/apps/hello/available-dyno-sizes", "", 200},
	{"filter-apps", "Apps", "POST", "/filters/apps", `{"in":{"id":["20000000-0000-4000-8000-000000000001"]}}`, 200},
	{"formation", "Info", "GET", "/apps/hello/formation/web", "", 200},
	{"formation", "List", "GET", "/apps/hello/formation", "", 200},
	{"formation", "Batch Update", "PATCH", "/apps/hello/formation", `{"updates":[{"type":"web","quantity":2}]}`, 200},
	{"formation", "Update", "PATCH", "/apps/hello/formation/web", `{"dyno_size":{"name":"Standard-2X"}}`, 200},
	{"formation", "Update", "PATCH", "/apps/hello/formation/web", `{"size":"Standard-2X"}`, 200},
	{"generation", "Info", "GET", "/generations/cedar", "", 200},
	{"generation", "List", "GET", "/generations", "", 200},
	{"key", "Info", "GET", "/account/keys/bb:19:5d:ae:54:42:67:09:95:c0:36:70:25:ab:19:75", "", 200},
	{"key", "List", "GET", "/account/keys", "", 200},
	{
		"oauth-authorization", "Create", "POST", "/oauth/authorizations",
		`{"scope":["read","write"],"expires_in":3600,"description":"for a robot"}`, 201,
	},
	{"oauth-authorization", "Delete", "DELETE", "/oauth/authorizations/~", "", 200},
	{"oauth-authorization", "Info", "GET", "/oauth/authorizations/~", "", 200},
	{"oauth-authorization", "List", "GET", "/oauth/authorizations", "", 200},
	{"oauth-authorization", "Update", "PATCH", "/oauth/authorizations/~", `{"description":"of a robot"}`, 200},
	{"oauth-authorization", "Regenerate", "POST", "/oauth/authorizations/~/actions/regenerate-tokens", "", 200},
	{"pipeline", "Create", "POST", "/pipelines", `{"name":"fresh"}`, 201},
	{"pipeline", "Delete", "DELETE", "/pipelines/40000000-0000-4000-8000-000000000001", "", 200},
	{"pipeline", "Info", "GET", "/pipelines/haiku", "", 200},
	{"pipeline", "List", "GET", "/pipelines", "", 200},
	{"pipeline", "Update", "PATCH", "/pipelines/40000000-0000-4000-8000-000000000001", `{"name":"tanka"}`, 200},
	{
		"pipeline-config-var", "Info for App", "GET",
		"/pipelines/40000000-0000-4000-8000-000000000001/stage/review/config-vars", "", 200,
	},
	{
		"pipeline-config-var", "Update", "PATCH",
		"/pipelines/40000000-0000-4000-8000-000000000001/stage/review/config-vars", `{"A":"b"}`, 200,
	},
	{
		"pipeline-coupling", "Create", "POST", "/pipeline-couplings",
		`{"app":"third","pipeline":"40000000-0000-4000-8000-000000000001","stage":"development"}`, 201,
	},
	{"pipeline-coupling", "Delete", "DELETE", "/pipeline-couplings/41000000-0000-4000-8000-000000000001", "", 200},
	{"pipeline-coupling", "Info", "GET", "/pipeline-couplings/41000000-0000-4000-8000-000000000001", "", 200},
	{"pipeline-coupling", "Info By App", "GET", "/apps/hello/pipeline-couplings", "", 200},
	{"pipeline-coupling", "List", "GET", "/pipeline-couplings", "", 200},
	{"pipeline-coupling", "List By Current User", "GET", "/users/~/pipeline-couplings", "", 200},
	{
		"pipeline-coupling", "List By Pipeline", "GET",
		"/pipelines/40000000-0000-4000-8000-000000000001/pipeline-couplings", "", 200,
	},
	{
		"pipeline-coupling", "Update", "PATCH", "/pipeline-couplings/41000000-0000-4000-8000-000000000001",
		`{"stage":"development"}`, 200,
	},
	{
		"pipeline-deployment", "List", "GET", "/pipelines/40000000-0000-4000-8000-000000000001/latest-deployments",
		"", 200,
	},
	{
		"pipeline-promotion", "Create", "POST", "/pipeline-promotions",
		`{"pipeline":{"id":"40000000-0000-4000-8000-000000000001"},` +
			`"source":{"app":{"id":"20000000-0000-4000-8000-000000000001"}},` +
			`"targets":[{"app":{"id":"20000000-0000-4000-8000-000000000003"}}]}`,
		201,
	},
	{"pipeline-promotion", "Info", "GET", "/pipeline-promotions/50000000-0000-4000-8000-000000000001", "", 200},
	{
		"pipeline-promotion-target", "List", "GET",
		"/pipeline-promotions/50000000-0000-4000-8000-000000000001/promotion-targets", "", 200,
	},
	{"pipeline-release", "List", "GET", "/pipelines/40000000-0000-4000-8000-000000000001/latest-releases", "", 200},
	{
		"pipeline-stack", "Default Stack", "GET", "/pipelines/40000000-0000-4000-8000-000000000001/pipeline-stack",
		"", 200,
	},
	{
		"pipeline-transfer", "Create", "POST", "/pipeline-transfers",
		`{"pipeline":{"id":"40000000-0000-4000-8000-000000000001"},` +
			`"new_owner":{"id":"10000000-0000-4000-8000-000000000003","type":"user"}}`,
		201,
	},
	{"plan", "Info", "GET", "/plans/heroku-postgresql:essential-0", "", 200},
	{
		"plan", "Info By Add-on", "GET", "/addon-services/heroku-postgresql/plans/heroku-postgresql:essential-0", "", 200,
	},
	{"plan", "List By Add-on", "GET", "/addon-services/heroku-postgresql/plans", "", 200},
	{"log-drain", "Create", "POST", "/apps/hello/log-drains", `{"url":"syslog://logs.example.com:514"}`, 201},
	{"log-drain", "Delete", "DELETE", "/apps/hello/log-drains/50000000-0000-4000-8000-000000000001", "", 200},
	{"log-drain", "Info", "GET", "/apps/hello/log-drains/50000000-0000-4000-8000-000000000001", "", 200},
	{"log-drain", "List", "GET", "/apps/hello/log-drains", "", 200},
	{
		"log-session", "Create", "POST", "/apps/hello/log-sessions",
		`{"dyno_name":"web.1","lines":10,"tail":true,"type":"web"}`, 201,
	},
	{"rate-limit", "Info", "GET", "/account/rate-limits", "", 200},
	{"region", "Info", "GET", "/regions/us", "", 200},
	{"region", "List", "GET", "/regions", "", 200},
	{"release", "Create", "POST", "/apps/hello/releases", `{"description":"Retry of v4: Deploy"}`, 201},
	{"release", "Create", "POST", "/apps/hello/releases", `{"oci_image":"fresh","description":"By its tag"}`, 201},
	{"release", "Create", "POST", "/apps/hello/releases", `{"slug":"40000000-0000-4000-8000-000000000001"}`, 422},
	{"release", "Info", "GET", "/apps/hello/releases/4", "", 200},
	{"release", "List", "GET", "/apps/hello/releases", "", 200},
	{"release", "Rollback", "POST", "/apps/hello/releases", `{"release":"3"}`, 201},
	{"sni-endpoint", "Create", "POST", "/apps/hello/sni-endpoints", wiretest.CertificateBody, 201},
	{"sni-endpoint", "Delete", "DELETE", "/apps/hello/sni-endpoints/" + wiretest.EndpointID, "", 200},
	{"sni-endpoint", "Info", "GET", "/apps/hello/sni-endpoints/" + wiretest.EndpointID, "", 200},
	{"sni-endpoint", "List", "GET", "/apps/hello/sni-endpoints", "", 200},
	{
		"sni-endpoint", "Update", "PATCH", "/apps/hello/sni-endpoints/" + wiretest.EndpointID,
		wiretest.CertificateBody, 200,
	},
	{"space", "Info", "GET", "/spaces/private", "", 404},
	{"space", "List", "GET", "/spaces", "", 200},
	{"source", "Create", "POST", "/sources", "", 201},
	{"source", "Create - Deprecated", "POST", "/apps/hello/sources", "", 201},
	{"stack", "Info", "GET", "/stacks/container", "", 200},
	{"stack", "List", "GET", "/stacks", "", 200},
	{"stack", "List by App", "GET", "/apps/hello/available-stacks", "", 200},
	{"user-preferences", "List", "GET", "/users/~/preferences", "", 200},
	{"user-preferences", "Update", "PATCH", "/users/~/preferences", `{"timezone":"UTC"}`, 200},
	{"team", "Info", "GET", "/teams/crew", "", 404},
	{"team", "List", "GET", "/teams", "", 200},
	{"team-app", "Create", "POST", "/teams/apps", `{"name":"fresh"}`, 201},
	{"team-app", "List By Team", "GET", "/teams/crew/apps", "", 404},
	{"team-app", "Info", "GET", "/teams/apps/hello", "", 200},
	{"team-app", "Update Locked", "PATCH", "/teams/apps/hello", `{"locked":false}`, 200},
	{"team-app", "Transfer to Account", "PATCH", "/teams/apps/hello", `{"owner":"bob@example.com"}`, 422},
	{"team-app", "Transfer to Team", "PATCH", "/teams/apps/hello", `{"owner":"crew"}`, 422},
}

// extra are the properties that answers have beyond the schema, by resource.
var extra = map[string][]string{
	"app-webhook-event": {
		"payload.id", "payload.created_at", "payload.updated_at", "payload.published_at", "payload.sequence",
	},
	"add-on-webhook-event": {
		"payload.id", "payload.created_at", "payload.updated_at", "payload.published_at", "payload.sequence",
	},
	"app":                 {"create_status"},
	"dyno":                {"exit", "websocket_url"},
	"dyno-size":           {"dyno_units"},
	"pipeline-coupling":   {"pipeline.name"},
	"pipeline-deployment": {"canary", "images", "log", "reason"},
	"pipeline-release":    {"canary", "images", "log", "reason"},
	"release":             {"canary", "images", "log", "reason"},
	"build":               {"builder", "failure_message", "image_digest", "number"},
	"sni-endpoint":        {"ssl_cert.acm"},
}

// tokenOf is the token with which a link gets its good answer: some are for partners
// of add-ons alone.
func tokenOf(resource, title string) string {
	if resource+"/"+title == "add-on-webhook/Create" {
		return wiretest.PartnerToken + string(wiretest.Database)
	}
	return "ada-token"
}

// callerOf is the header that says so.
func callerOf(resource, title string) map[string]string {
	return wiretest.Bearer(tokenOf(resource, title))
}

func TestAnswersFollowHerokusSchema(t *testing.T) {
	schema := readSchema(t)
	for _, link := range implemented {
		t.Run(link.resource+"/"+link.title, func(t *testing.T) {
			res, body := newFull().Ask(link.method, link.url, link.body, callerOf(link.resource, link.title))
			if res.StatusCode != link.status {
				t.Fatalf("status is %d: %s", res.StatusCode, body)
			}
			if link.status >= 400 { // notes says why
				if !strings.Contains(body, `"message":"`) || noteOn(link.resource, link.title) == "" {
					t.Errorf("refused without a reason: %s", body)
				}
				return
			}
			answer, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			at := schema.target(t, link.resource, link.title, link.method)
			if err := schema.compile(t, at).Validate(answer); err != nil {
				t.Errorf("%v: %s", err, body)
			}
			schema.complete(t, at, answer, extra[link.resource], link.resource)
		})
	}
}

// schemaFile is Heroku's published schema.
type schemaFile struct {
	doc      map[string]any
	compiler *jsonschema.Compiler
}

// readSchema reads the schema that ships with Heroku's Go client. Patterns that
// hold Heroku's own host names, or that Go's regexp cannot read, are taken out,
// and so is the name of the hyper-schema: draft 4 is what it stands on.
func readSchema(t *testing.T) *schemaFile {
	t.Helper()
	return readSchemaOf(t, "v6")
}

// readSchemaOf reads the schema of one version of the client.
func readSchemaOf(t *testing.T, version string) *schemaFile {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(schemaText(t, version), &doc); err != nil {
		t.Fatal(err)
	}
	neutral(doc)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4)
	compiler.AssertFormat()
	if err := compiler.AddResource("heroku.json", doc); err != nil {
		t.Fatal(err)
	}
	return &schemaFile{doc: doc, compiler: compiler}
}

// schemaText is the schema as the module has it.
func schemaText(t *testing.T, version string) []byte {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/heroku/heroku-go/"+version).Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func neutral(node any) {
	switch node := node.(type) {
	case map[string]any:
		delete(node, "$schema")
		if _, isResource := node["links"]; isResource {
			delete(node, "$ref") // of pipeline-deployment, which has what it refers to besides, and links of its own
		}
		if pattern, ok := node["pattern"].(string); ok &&
			(strings.Contains(pattern, "heroku") || strings.Contains(pattern, "(?!")) {
			delete(node, "pattern")
		}
		if node["description"] == "full hostname" {
			delete(node, "format") // it says uri, which no host name is, Heroku's neither
		}
		for _, child := range node {
			neutral(child)
		}
	case []any:
		for _, child := range node {
			neutral(child)
		}
	}
}

// target is the JSON pointer of what a link answers.
func (s *schemaFile) target(t *testing.T, resource, title, method string) string {
	t.Helper()
	links, _ := s.at(t, "#/definitions/"+resource)["links"].([]any)
	for i, link := range links {
		link, _ := link.(map[string]any)
		if link["title"] != title || link["method"] != method {
			continue
		}
		if _, says := link["targetSchema"]; !says {
			return "#/definitions/" + resource
		}
		return fmt.Sprintf("#/definitions/%s/links/%d/targetSchema", resource, i)
	}
	t.Fatalf("the schema has no link %s %s", resource, title)
	return ""
}

func (s *schemaFile) compile(t *testing.T, pointer string) *jsonschema.Schema {
	t.Helper()
	compiled, err := s.compiler.Compile("heroku.json" + pointer)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// at follows a JSON pointer, and the references that it ends in.
func (s *schemaFile) at(t *testing.T, pointer string) map[string]any {
	t.Helper()
	var node any = s.doc
	for _, part := range strings.Split(strings.TrimPrefix(pointer, "#/"), "/") {
		switch n := node.(type) {
		case map[string]any:
			node = n[part]
		case []any:
			var i int
			if _, err := fmt.Sscan(part, &i); err != nil {
				t.Fatal(err)
			}
			node = n[i]
		}
	}
	found, ok := node.(map[string]any)
	if !ok {
		t.Fatalf("the schema has no %s", pointer)
	}
	if ref, ok := found["$ref"].(string); ok {
		return s.at(t, ref)
	}
	return found
}

// complete checks that an answer has every property of its schema, and no
// other but those allowed. Validators do not: the schema requires nothing.
func (s *schemaFile) complete(t *testing.T, pointer string, answer any, allowed []string, where string) {
	t.Helper()
	node := s.at(t, pointer)
	s.completeNode(t, node, answer, allowed, where)
}

func (s *schemaFile) completeNode(t *testing.T, node map[string]any, answer any, allowed []string, where string) {
	t.Helper()
	if ref, ok := node["$ref"].(string); ok {
		node = s.at(t, ref)
	}
	if list, ok := answer.([]any); ok {
		items, _ := node["items"].(map[string]any)
		for _, element := range list {
			s.completeNode(t, items, element, allowed, where)
		}
		return
	}
	object, ok := answer.(map[string]any)
	properties, described := node["properties"].(map[string]any)
	if !ok || !described {
		return
	}
	for name, property := range properties {
		value, has := object[name]
		if !has {
			t.Errorf("%s lacks %s", where, name)
		}
		property, _ := property.(map[string]any)
		s.completeNode(t, property, value, below(allowed, name), where+"."+name)
	}
	for name := range object {
		if _, known := properties[name]; !known && !slices.Contains(allowed, name) {
			t.Errorf("%s has %s, which the schema does not know", where, name)
		}
	}
}

// below are the allowed properties that lie below one.
func below(allowed []string, name string) []string {
	var inner []string
	for _, path := range allowed {
		if rest, ok := strings.CutPrefix(path, name+"."); ok {
			inner = append(inner, rest)
		}
	}
	return inner
}
