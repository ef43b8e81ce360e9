package api_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"renga"
)

// furthermore says what a request takes beyond its line of the table, which
// depends on what its body or query asks for.
var furthermore = map[string]string{
	"GET /apps/{app}/releases/{release}/diff": "with `values=true` as config vars: `read-protected`, and " +
		"`deploy` or `operate`",
	"PATCH /apps/{app}":                  "a new name takes `manage`",
	"PATCH /apps/{app}/formation":        "numbers and sizes take `operate`, images `deploy`",
	"PATCH /apps/{app}/formation/{type}": "numbers and sizes take `operate`, images `deploy`",
	"POST /apps/{app}/releases": "with `\"part\":\"config\"` as setting config vars: " +
		"`write-protected` and `operate`",
	"POST /apps/{app}/collaborators":                  "nobody gives a permission that they have not",
	"DELETE /apps/{app}/collaborators/{collaborator}": "of somebody else takes `manage`",
	"GET /api/v2": "`operate` on the app that is named as user of Basic " +
		"credentials",
	"PUT /api/v2/{dyno}": "`operate` on the app that is named as user of Basic " +
		"credentials",
	"POST /account/app-transfers":              "only the app's owner",
	"PATCH /account/app-transfers/{transfer}":  "only the recipient",
	"DELETE /account/app-transfers/{transfer}": "only who offered the app",
	"GET /apps": "lists apps on which the caller has `view`",
	"POST /pipeline-couplings": "`operate` on the app, and the pipeline or `deploy` " +
		"on all of its apps; the app's owner may view those",
	"PATCH /pipeline-couplings/{coupling}":  "the pipeline's owner, or `operate` on the app",
	"DELETE /pipeline-couplings/{coupling}": "the pipeline's owner, or `operate` on the app",
	"POST /pipeline-promotions": "`view` on the source, `deploy` on the targets; the " +
		"targets' owners may view the source",
	"POST /pipeline-transfers": "the pipeline's owner; the new one may view all of " +
		"its apps",
	"PATCH /pipelines/{pipeline}":                           "the pipeline's owner",
	"DELETE /pipelines/{pipeline}":                          "the pipeline's owner",
	"GET /pipelines/{pipeline}/stage/{stage}/config-vars":   "the pipeline's owner",
	"PATCH /pipelines/{pipeline}/stage/{stage}/config-vars": "the pipeline's owner",
	"GET /pipelines": "lists the caller's own, and those with an app on " +
		"which they have `view`",
	"GET /users/{account}/apps":  "lists apps on which the caller has `view`",
	"GET /users/{account}":       "of others the id, email and creation time",
	"POST /oauth/authorizations": "takes email and password too",
	"POST /filters/apps":         "gives apps on which the caller has `view`",
}

func TestRightsAreWrittenDown(t *testing.T) {
	writtenDown(t, "../docs/rights.md", rights(t))
}

// rights is the document about who may call what.
func rights(t *testing.T) string {
	var doc strings.Builder
	doc.WriteString(`# Who may call what

Written by a test of the api package from the policies of its routes; a test fails when this file is
stale, and another one calls every route with every scope, as the owner, as each kind of collaborator
and as a stranger, and compares. ` + "`go test ./api -run Rights -update`" + ` writes it.

The scope is the token's: what is asked for or any wider one ([security.md](security.md#scopes)). The
permission is on the app that the path names; the owner has all of them, and one of those named is enough.
An empty field asks for nothing but a token.

| Request | Scope | Permission | Furthermore |
|---|---|---|---|
`)
	noted := 0
	for _, rt := range locked() {
		route, scope, either := needOf(rt)
		note := furthermore[route[0]+" "+route[1]]
		if note != "" {
			noted++
		}
		fmt.Fprintf(&doc, "| `%s %s` | %s | %s | %s |\n", route[0], route[1], scope, renga.AnyPermission(either), note)
	}
	if noted != len(furthermore) {
		t.Errorf("%d of %d notes are about routes that there are", noted, len(furthermore))
	}
	doc.WriteString(`
## Without a token

| Request | Who has its URL gets it from |
|---|---|
`)
	for _, rt := range open() {
		route, _, _ := needOf(rt)
		fmt.Fprintf(&doc, "| `%s %s` | %s |\n", route[0], route[1], cmp.Or(openTo[route[0]+" "+route[1]], "?"))
		if openTo[route[0]+" "+route[1]] == "" {
			t.Errorf("%s %s needs no token: say in openTo why", route[0], route[1])
		}
	}
	return doc.String()
}

// openTo says why routes need no token.
var openTo = map[string]string{
	"GET /streams/releases/{app}/{version}": "`output_stream_url` of a release; bound to who read it, see " +
		"[security.md](security.md#what-is-handed-out-ends-with-the-right)",
	"GET /streams/logs/{app}": "`POST /apps/{app}/log-sessions`; bound likewise",
	"GET /attach/{secret}": "`POST /apps/{app}/dynos` and `POST /apps/{app}/dynos/{dyno}/exec`; " +
		"good once, bound likewise",
	"POST /auth":                 "nobody: it begins a login with a browser",
	"GET /auth/cli/{login}":      "`POST /auth`, which gives the secret that it takes as well",
	"GET /auth/browser/{login}":  "`POST /auth`",
	"POST /auth/browser/{login}": "`POST /auth`; it takes email and password",
}
