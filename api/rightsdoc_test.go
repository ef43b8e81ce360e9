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
	"POST /platform/collections":                  "only the operator",
	"GET /platform/collections":                   "only the operator",
	"GET /platform/disk":                          "only the operator",
	"PATCH /platform/apps/{name}":                 "only the operator",
	"PATCH /apps/{app}":                           "a new name takes `manage`",
	"PATCH /apps/{app}/formation":                 "numbers and sizes take `operate`, images `deploy`",
	"PATCH /apps/{app}/formation/{type}":          "numbers and sizes take `operate`, images `deploy`",
	"GET /platform/webhooks":                      "only the operator",
	"POST /platform/webhooks":                     "only the operator",
	"GET /platform/webhooks/{webhook}":            "only the operator",
	"PATCH /platform/webhooks/{webhook}":          "only the operator",
	"DELETE /platform/webhooks/{webhook}":         "only the operator",
	"GET /platform/webhook-events":                "only the operator",
	"GET /platform/webhook-events/{event}":        "only the operator",
	"GET /platform/webhook-deliveries":            "only the operator",
	"GET /platform/webhook-deliveries/{delivery}": "only the operator",
	"POST /apps/{app}/releases": "with `\"part\":\"config\"` as setting config vars: " +
		"`write-protected` and `operate`; with an `image` of another registry as pushing: `write-protected`",
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
	"POST /oauth/authorizations": "takes email and password too; for an app `view` on it, to push `deploy`",
	"POST /filters/apps":         "gives apps on which the caller has `view`",

	"GET /addons":                                                                       sharedAddOns,
	"GET /users/{account}/addons":                                                       sharedAddOns,
	"GET /addon-attachments":                                                            sharedAddOns,
	"GET /addons/{addon}":                                                               seeingAddOn,
	"GET /addons/{addon}/addon-attachments":                                             seeingAddOn,
	"GET /addon-attachments/{attachment}":                                               seeingAddOn,
	"POST /actions/addons/resolve":                                                      seeingAddOn,
	"POST /actions/addon-attachments/resolve":                                           seeingAddOn,
	"PATCH /apps/{app}/addons/{addon}":                                                  "only by the app that it was made for",
	"DELETE /apps/{app}/addons/{addon}":                                                 "only by the app that it was made for",
	"POST /addon-attachments":                                                           operatingBoth,
	"DELETE /addon-attachments/{attachment}":                                            "`operate` on the app that has it",
	"GET /addons/{addon}/config":                                                        readingAddOnConfig,
	"GET /addons/{addon}/webhooks":                                                      partnersToo,
	"POST /addons/{addon}/webhooks":                                                     "the add-on's partner",
	"GET /addons/{addon}/webhooks/{webhook}":                                            partnersToo,
	"PATCH /addons/{addon}/webhooks/{webhook}":                                          partnersToo,
	"DELETE /addons/{addon}/webhooks/{webhook}":                                         partnersToo,
	"GET /addons/{addon}/webhook-deliveries":                                            partnersToo,
	"GET /addons/{addon}/webhook-deliveries/{delivery}":                                 partnersToo,
	"GET /addons/{addon}/webhook-events":                                                partnersToo,
	"GET /addons/{addon}/webhook-events/{event}":                                        partnersToo,
	"PATCH /addons/{addon}/config":                                                      partnersToo,
	"POST /addons/{addon}/actions/provision":                                            partnersToo,
	"POST /addons/{addon}/actions/deprovision":                                          partnersToo,
	"GET /addons/{addon}/config/{namespace}":                                            "`operate` on the add-on's own app",
	"GET /addons/{addon}/upgrade":                                                       seeingAddOn,
	"POST /addons/{addon}/upgrade":                                                      "`operate` on the add-on's own app",
	"DELETE /addons/{addon}/upgrade":                                                    "`operate` on the add-on's own app",
	"POST /addons/{addon}/upgrade/actions/undo":                                         "`operate` on the add-on's own app",
	"POST /addons/{addon}/actions/rotate":                                               "`operate` on the add-on's own app",
	"POST /postgres/v0/databases/{addon}/credentials":                                   seeingAddOn + "; it only refuses",
	"DELETE /postgres/v0/databases/{addon}/credentials/{credential}":                    seeingAddOn + "; it only refuses",
	"POST /postgres/v0/databases/{addon}/repair-default":                                seeingAddOn + "; it only refuses",
	"GET /postgres/v0/databases/{addon}/config":                                         seeingAddOn + "; it only refuses",
	"PATCH /postgres/v0/databases/{addon}/config":                                       seeingAddOn + "; it only refuses",
	"GET /client/v11/databases/{addon}/links":                                           seeingAddOn + "; it only refuses",
	"POST /client/v11/databases/{addon}/links":                                          seeingAddOn + "; it only refuses",
	"PUT /client/v11/databases/{addon}/unfollow":                                        seeingAddOn + "; it only refuses",
	"PUT /client/v11/databases/{addon}/reset":                                           seeingAddOn + "; it only refuses",
	"PUT /client/v11/databases/{addon}/stats_reset":                                     seeingAddOn + "; it only refuses",
	"POST /client/v11/databases/{addon}/connection_reset":                               seeingAddOn + "; it only refuses",
	"POST /client/v11/databases/{addon}/connection-pooling":                             seeingAddOn + "; it only refuses",
	"GET /client/v11/databases/{addon}/upgrade/wait_status":                             seeingAddOn,
	"POST /client/v11/databases/{addon}/upgrade/run":                                    "`operate` on the add-on's own app",
	"POST /client/v11/databases/{addon}/upgrade/prepare":                                "`operate` on the add-on's own app",
	"POST /client/v11/databases/{addon}/upgrade/dry_run":                                "`operate` on the add-on's own app",
	"POST /client/v11/databases/{addon}/upgrade/cancel":                                 "`operate` on the add-on's own app",
	"GET /data/maintenances/v1/{addon}":                                                 seeingAddOn + "; it only refuses",
	"GET /data/maintenances/v1/{addon}/window":                                          seeingAddOn + "; it only refuses",
	"POST /data/maintenances/v1/{addon}/window":                                         seeingAddOn + "; it only refuses",
	"POST /data/maintenances/v1/{addon}/schedule":                                       seeingAddOn + "; it only refuses",
	"POST /data/maintenances/v1/{addon}/run":                                            seeingAddOn + "; it only refuses",
	"GET /data/maintenances/v1/{addon}/history/":                                        seeingAddOn + "; it only refuses",
	"PATCH /redis/v0/databases/{addon}/config":                                          seeingAddOn + "; it only refuses",
	"POST /redis/v0/databases/{addon}/stats/reset":                                      seeingAddOn + "; it only refuses",
	"POST /redis/v0/databases/{addon}/upgrade":                                          seeingAddOn + "; it only refuses",
	"GET /postgres/v0/databases/{addon}/credentials":                                    seeingAddOn,
	"GET /postgres/v0/databases/{addon}/credentials/{credential}":                       "`deploy` or `operate` on the add-on's own app",
	"GET /redis/v0/databases/{addon}/wait":                                              seeingAddOn,
	"POST /redis/v0/databases/{addon}/credentials_rotation":                             "`operate` on the add-on's own app",
	"GET /client/v11/databases/{addon}":                                                 seeingAddOn,
	"GET /client/v11/databases/{addon}/wait_status":                                     seeingAddOn,
	"GET /redis/v0/databases/{addon}":                                                   seeingAddOn,
	"POST /postgres/v0/databases/{addon}/credentials_rotation":                          "`operate` on the add-on's own app",
	"POST /postgres/v0/databases/{addon}/credentials/{credential}/credentials_rotation": "`operate` on the add-on's own app",

	"GET /addons/{addon}/backups":                            "`view` on the add-on's own app",
	"POST /addons/{addon}/backups":                           "`operate` on the add-on's own app",
	"GET /addons/{addon}/backups/{backup}":                   "`view` on the add-on's own app",
	"DELETE /addons/{addon}/backups/{backup}":                "`operate` on the add-on's own app",
	"POST /addons/{addon}/backups/{backup}/actions/restore":  restoringBoth,
	"POST /addons/{addon}/backups/{backup}/actions/cancel":   "`operate` on the add-on's own app",
	"POST /addons/{addon}/backups/{backup}/actions/download": "`deploy` or `operate` on the add-on's own app",
	"POST /client/v11/databases/{addon}/backups":             "`operate` on the add-on's own app",
	"POST /client/v11/databases/{addon}/restores":            restoringBoth,
	"POST /client/v11/databases/{addon}/transfers":           copyingBoth,
}

const (
	restoringBoth = "`deploy` or `operate` on the backup's app, and `operate` on the app of the add-on whose data are replaced"

	copyingBoth = "`deploy` or `operate` on an app that has the source, and `operate` on the own app of the add-on whose data are " +
		"replaced"

	operatingBoth      = "`operate` on the add-on's own app and on the app that gets it"
	readingAddOnConfig = "`deploy` or `operate` on the add-on's own app; or its partner"

	sharedAddOns = "lists those of apps on which the caller has `view`, and those attached to one"
	seeingAddOn  = "`view` on the app that it was made for, or on one that has it attached"
)

// partnersToo is of what the partner of an add-on calls.
const partnersToo = "`operate` on the add-on's own app, or its partner"

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
	"GET /buildpacks/{buildpack:.+}": "nobody: the CLI asks without a token, and is told that there is none",
	"GET /backups/{backup}/download": "`POST /addons/{addon}/backups/{backup}/actions/download` and " +
		"`POST /client/v11/apps/{app}/transfers/{transfer}/actions/public-url`; good once, for ten minutes, bound likewise",
	"GET /streams/releases/{app}/{version}": "`output_stream_url` of a release; bound to who read it, see " +
		"[security.md](security.md#what-is-handed-out-ends-with-the-right)",
	"GET /streams/builds/{app}/{build}": "`output_stream_url` of a build; bound likewise",
	"PUT /streams/sources/{source}":     "`POST /sources`; good for an hour, bound likewise",
	"GET /streams/sources/{source}":     "`POST /sources`; good for an hour, bound likewise",
	"GET /streams/logs/{app}":           "`POST /apps/{app}/log-sessions`; bound likewise",
	"GET /attach/{secret}": "`POST /apps/{app}/dynos` and `POST /apps/{app}/dynos/{dyno}/exec`; " +
		"good once, bound likewise",
	"POST /oauth/token": "the partner of an add-on, with what it was given when it was asked for the add-on; it takes the " +
		"partner's secret",
	"POST /webhooks/registry/{source}/{owner}/{webhook}": "`POST /apps/{app}/registry-webhooks`, which gives the secret that " +
		"it takes, or a signature with it",
	"POST /auth":                 "nobody: it begins a login with a browser",
	"GET /auth/cli/{login}":      "`POST /auth`, which gives the secret that it takes as well",
	"GET /auth/browser/{login}":  "`POST /auth`",
	"POST /auth/browser/{login}": "`POST /auth`; it takes email and password",
}
