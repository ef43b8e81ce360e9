package store

import (
	"strings"

	"renga"
)

// All keys. Those of one app share the hash tag {app-id}, the others share
// {platform}, so that each group lies in one slot of a Cluster and can be
// written in one MULTI. "Writer" is the one room that causes writes.
//
//	Key                              Type    Content                                       Writer
//	renga:{platform}:platform        hash    id, schema, created_at, restoring             cmd (Adopt, recover)
//	renga:{platform}:apps            hash    app id → {name, removing}: all apps             releaser, api (remove)
//	renga:{platform}:name:<name>     string  app id; a claim until apps has that id and name  releaser, api (remove)
//	renga:{platform}:aliases         hash    former name → app id, until an app takes it   releaser (rename)
//	renga:{platform}:domains         hash    host name → {app, domain's id}: its claim     api
//	renga:{platform}:account:<id>    string  JSON account, the password's hash too         cmd, accounts
//	renga:{platform}:email:<email>   string  account id, by the email in lower case        cmd, accounts
//	renga:{platform}:grants:<id>     hash    authorization id → JSON, of one account       accounts
//	renga:{platform}:token:<sha256>  string  JSON {account, grant}, by the token's hash    accounts
//	renga:{platform}:sshkeys         hash    key id → JSON, of all accounts                api
//	renga:{platform}:transfers       hash    transfer id → JSON, an app's offer            api
//	renga:{platform}:login:<id>      string  JSON login with a browser, for ten minutes    accounts
//	renga:{platform}:attempts:<who>  string  JSON failed logins of an account or address   accounts
//	renga:{platform}:pipelines       hash    pipeline id → JSON with its couplings         api
//	renga:{platform}:owned           zset    <account id>/<pipeline id>, all of score 0    with pipelines; Adopt
//	renga:{platform}:coupled         hash    app id → id of the pipeline that it is in     the same
//	renga:{platform}:promotions      hash    promotion id → JSON, kept for a week          releaser
//	renga:{platform}:broken          hash    app id → JSON, its release that does not hold runtime (report), releaser (remove)
//	renga:{platform}:answer:<sha256> string  a claim, or a sealed answer, for minutes      api
//	renga:{platform}:addon:<id>      string  JSON add-on with its credentials, sealed      addons
//	renga:{platform}:addons          hash    name or host → add-on id: all add-ons         the same; releaser (remove)
//	renga:{platform}:attachments     hash    attachment id → add-on id                     the same
//	renga:{platform}:addonsof:<app>  hash    attachment's name, or another id → add-on id  the same
//	renga:{platform}:addonevents     hash    event id → JSON, until its app's events have it the same; Adopt
//	renga:{platform}:backups         hash    app id → number of its newest backup          backups
//	renga:{platform}:backups:<app>   hash    backup id → JSON, of an app's add-ons         backups, api
//	renga:{platform}:backuptimes     hash    schedule id → JSON, of all add-ons            api, backups
//	renga:{<app>}:app                string  JSON app                                      api
//	renga:{<app>}:releases           hash    version → JSON record, never rewritten        releaser
//	renga:{<app>}:outcomes           hash    version → JSON outcome                        runtime, releaser, api
//	renga:{<app>}:head               hash    current, live: versions; fence: see settle    releaser (live also runtime)
//	renga:{<app>}:push:<push id>     string  version, for 30 days                          releaser
//	renga:{<app>}:formation          hash    process type → JSON scale                     api, releaser (missing types)
//	renga:{<app>}:dynos              string  JSON array; there as long as the app is       runtime
//	renga:{<app>}:restarts           hash    dyno, type or * → time                        api
//	renga:{<app>}:asleep             string  time since when it sleeps; none for awake     runtime
//	renga:{<app>}:drains             hash    drain id → JSON drain, its URL sealed         api
//	renga:{<app>}:minutes            list    JSON per minute: what its types used, a day   meter
//	renga:{<app>}:domains            hash    id → JSON domain; see domains.go              api (ACM status: cmd)
//	renga:{<app>}:endpoints          hash    id → JSON certificate, its key sealed         api
//	renga:{<app>}:schedules          hash    schedule id → JSON, when it is due next, too  api, scheduler
//	renga:{<app>}:unfinished         hash    run id → schedule id: runs that are not over  api, scheduler, runtime
//	renga:{<app>}:runs:<schedule id> hash    run id → JSON, the newest 100                 the same
//	renga:{platform}:building        set     ids of the apps that have or had builds       builds
//	renga:{<app>}:builds             hash    build id → JSON, the newest 100               builds
//	renga:{platform}:importing       set     ids of the apps that have or had imports      imports
//	renga:{<app>}:imports            hash    import id → JSON, the newest                  imports, api
//	renga:{<app>}:sourcelogins       hash    registry's host → JSON, its password sealed   api
//	renga:{<app>}:importrules        hash    rule id → JSON, its secret sealed             api, imports
//	renga:{platform}:polling         set     ids of the apps that have or had rules that ask   imports
//	renga:{<app>}:notices            hash    notice id → JSON, the newest 100              api, imports
//	renga:{platform}:hooked          set     ids of the apps that have or had webhooks     api, webhooks
//	renga:{<app>}:webhooks           hash    webhook id → JSON, secrets sealed             api
//	renga:{<app>}:events             hash    event id → JSON, for days; see outbox         who writes the fact, webhooks
//	renga:{<app>}:deliveries         hash    delivery id → JSON                            the same, webhooks
//	renga:{<app>}:due                zset    webhook id/delivery id by next attempt, in ms the same, webhooks
//
// The last four outlive their app for as long as something is due.
//
// Times are RFC 3339 with nanoseconds, UTC. Hashes hold one field per thing so
// that a window can be read without the rest.
const (
	keyPlatform  = "renga:{platform}:platform"
	keyApps      = "renga:{platform}:apps"
	keyTransfers = "renga:{platform}:transfers"
	keySSHKeys   = "renga:{platform}:sshkeys"
	keyAliases   = "renga:{platform}:aliases"
	keyClaims    = "renga:{platform}:domains"

	keyPipelines  = "renga:{platform}:pipelines"
	keyOwned      = "renga:{platform}:owned"
	keyCoupled    = "renga:{platform}:coupled"
	keyPromotions = "renga:{platform}:promotions"
	keyBroken     = "renga:{platform}:broken"
	keyHooked     = "renga:{platform}:hooked"
	keyBuilding   = "renga:{platform}:building"
	keyImporting  = "renga:{platform}:importing"
	keyPolling    = "renga:{platform}:polling"

	keyAddOns      = "renga:{platform}:addons"
	keyAttachments = "renga:{platform}:attachments"
	keyAddOnEvents = "renga:{platform}:addonevents"

	keyBackups     = "renga:{platform}:backups"
	keyBackupTimes = "renga:{platform}:backuptimes"

	fieldID        = "id"
	fieldSchema    = "schema"
	fieldCreated   = "created_at"
	fieldRestoring = "restoring"

	fieldCurrent = "current"
	fieldLive    = "live"
	fieldFence   = "fence"
)

func keyName(name string) string              { return "renga:{platform}:name:" + name }
func keyAccount(id renga.AccountID) string    { return "renga:{platform}:account:" + string(id) }
func keyEmail(email string) string            { return "renga:{platform}:email:" + strings.ToLower(email) }
func keyGrants(id renga.AccountID) string     { return "renga:{platform}:grants:" + string(id) }
func keyLogin(id string) string               { return "renga:{platform}:login:" + id }
func keyAttempts(who string) string           { return "renga:{platform}:attempts:" + who }
func keyToken(hash string) string             { return "renga:{platform}:token:" + hash }
func keyAnswer(request string) string         { return "renga:{platform}:answer:" + request }
func keyAddOn(id renga.AddOnID) string        { return "renga:{platform}:addon:" + string(id) }
func keyAddOnsOf(id renga.AppID) string       { return "renga:{platform}:addonsof:" + string(id) }
func keyBackupsOf(id renga.AppID) string      { return "renga:{platform}:backups:" + string(id) }
func keyApp(id renga.AppID) string            { return appKey(id, "app") }
func keyReleases(id renga.AppID) string       { return appKey(id, "releases") }
func keyOutcomes(id renga.AppID) string       { return appKey(id, "outcomes") }
func keyHead(id renga.AppID) string           { return appKey(id, "head") }
func keyPush(id renga.AppID, p string) string { return appKey(id, "push:"+p) }
func keyFormation(id renga.AppID) string      { return appKey(id, "formation") }
func keyDynos(id renga.AppID) string          { return appKey(id, "dynos") }
func keyRestarts(id renga.AppID) string       { return appKey(id, "restarts") }
func keyAsleep(id renga.AppID) string         { return appKey(id, "asleep") }
func keyDrains(id renga.AppID) string         { return appKey(id, "drains") }
func keyMinutes(id renga.AppID) string        { return appKey(id, "minutes") }
func keyDomains(id renga.AppID) string        { return appKey(id, "domains") }
func keyEndpoints(id renga.AppID) string      { return appKey(id, "endpoints") }

func keySchedules(id renga.AppID) string             { return appKey(id, "schedules") }
func keyUnfinished(id renga.AppID) string            { return appKey(id, "unfinished") }
func keyRuns(id renga.AppID, schedule string) string { return appKey(id, "runs:"+schedule) }

func keyBuilds(id renga.AppID) string       { return appKey(id, "builds") }
func keyImports(id renga.AppID) string      { return appKey(id, "imports") }
func keySourceLogins(id renga.AppID) string { return appKey(id, "sourcelogins") }
func keyImportRules(id renga.AppID) string  { return appKey(id, "importrules") }
func keyNotices(id renga.AppID) string      { return appKey(id, "notices") }

func keyWebhooks(id renga.AppID) string   { return appKey(id, "webhooks") }
func keyEvents(id renga.AppID) string     { return appKey(id, "events") }
func keyDeliveries(id renga.AppID) string { return appKey(id, "deliveries") }
func keyDue(id renga.AppID) string        { return appKey(id, "due") }

func appKey(id renga.AppID, what string) string { return "renga:{" + string(id) + "}:" + what }

// appKeys are all keys of an app but those of its pushes, its schedules' runs and
// its queue.
func appKeys(id renga.AppID) []string {
	return []string{
		keyApp(id), keyReleases(id), keyOutcomes(id), keyHead(id),
		keyFormation(id), keyDynos(id), keyRestarts(id), keyAsleep(id), keyDrains(id),
		keyMinutes(id), keyDomains(id), keyEndpoints(id), keySchedules(id), keyUnfinished(id),
		keyBuilds(id), keyImports(id), keySourceLogins(id), keyImportRules(id), keyNotices(id),
	}
}

// queueKeys are those of an app's webhooks and their queue.
func queueKeys(id renga.AppID) []string {
	return []string{keyWebhooks(id), keyEvents(id), keyDeliveries(id), keyDue(id)}
}
