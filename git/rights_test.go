package git_test

import (
	"net/http"
	"strings"
	"testing"

	"renga"
)

func TestWhoMayPushAndClone(t *testing.T) {
	f := newFixture(t)
	tokens := map[string]renga.Bearer{
		"of-owner":        bearer(ada, renga.ScopeGlobal),
		"reads":           bearer(ada, renga.ScopeRead),
		"reads-secrets":   bearer(ada, renga.ScopeReadProtected),
		"writes":          bearer(ada, renga.ScopeWrite),
		"writes-secrets":  bearer(ada, renga.ScopeWriteProtected),
		"identity":        bearer(ada, renga.ScopeIdentity),
		"of-viewer":       bearer("viewer", renga.ScopeGlobal),
		"of-deployer":     bearer("deployer", renga.ScopeGlobal),
		"of-operator":     bearer("operates", renga.ScopeGlobal),
		"of-stranger":     bearer(bob, renga.ScopeGlobal),
		"robot-pushes":    bearer(ada, renga.ScopeRegistryPush),
		"robot-pulls":     bearer(ada, renga.ScopeRegistryPull),
		"robot-elsewhere": bearer(ada, renga.ScopeRegistryPush),
	}
	robotOf := func(token string, app renga.AppID) {
		b := tokens[token]
		b.Authorization.App = app
		tokens[token] = b
	}
	robotOf("robot-pushes", "id-of-hello")
	robotOf("robot-pulls", "id-of-hello")
	robotOf("robot-elsewhere", "id-of-other")
	f.tokens = tokens
	shared := renga.App{ID: "id-of-hello", Name: "hello", Owner: ada, Collaborators: map[renga.AccountID]renga.Collaborator{
		"viewer":   {Permissions: []renga.Permission{renga.MayView}},
		"deployer": {Permissions: []renga.Permission{renga.MayDeploy, renga.MayView}},
		"operates": {Permissions: []renga.Permission{renga.MayOperate, renga.MayView}},
	}}
	f.set(shared)
	f.set(renga.App{ID: "id-of-going", Name: "going", Owner: ada, Deleting: true})
	const push, clone = "receive-pack", "upload-pack"
	for _, c := range []struct {
		token, app, service string
		status              int
		say                 string
	}{
		{"of-owner", "hello", push, 200, ""},
		{"of-owner", "hello", clone, 200, ""},
		{"reads", "hello", clone, 200, ""},
		{"reads", "hello", push, 403, "write-protected"},
		{"reads-secrets", "hello", push, 403, "write-protected"},
		{"writes", "hello", push, 403, "write-protected"},
		{"writes", "hello", clone, 200, ""},
		{"writes-secrets", "hello", push, 200, ""},
		{"identity", "hello", clone, 403, "it takes read"},
		{"of-viewer", "hello", clone, 200, ""},
		{"of-viewer", "hello", push, 403, "You need to have deploy permission"},
		{"of-operator", "hello", push, 403, "You need to have deploy permission"},
		{"of-deployer", "hello", push, 200, ""},
		{"of-stranger", "hello", clone, 404, "There is no app hello that you have access to."},
		{"of-stranger", "missing", clone, 404, "There is no app missing that you have access to."},
		{"of-stranger", "hello", push, 404, "There is no app hello that you have access to."},
		{"robot-pushes", "hello", push, 200, ""},
		{"robot-pushes", "hello", clone, 200, ""},
		{"robot-pushes", "other", push, 403, "a robot's"},
		{"robot-pushes", "missing", push, 403, "a robot's"},
		{"robot-pulls", "hello", clone, 403, "it does not reach the source code"},
		{"robot-pulls", "hello", push, 403, "it does not reach the source code"},
		{"robot-elsewhere", "hello", push, 403, "a robot's"},
		{"robot-elsewhere", "hello", clone, 403, "a robot's"},
		{"of-owner", "going", push, 403, "The app going is being deleted."},
		{"of-owner", "going", clone, 403, "The app going is being deleted."},
		{"wrong", "hello", push, 401, "Log in with an API token as password"},
		{"", "hello", clone, 401, "Log in with an API token as password"},
		{"", "missing", push, 401, "Log in with an API token as password"},
		{"tried-too-often", "hello", push, 429, "Wait a minute."},
	} {
		status, body, header := f.request(http.MethodGet, "/"+c.app+".git/info/refs?service=git-"+c.service, c.token, nil, nil)
		if status != c.status || !strings.Contains(body, c.say) {
			t.Errorf("%s of %s as %q: %d %q, want %d %q", c.service, c.app, c.token, status, body, c.status, c.say)
		}
		if asks := strings.HasPrefix(header.Get("WWW-Authenticate"), "Basic "); asks != (status == 401) {
			t.Errorf("%s of %s as %q: %d with %v", c.service, c.app, c.token, status, header)
		}
		if c.status == 200 {
			continue
		}
		// The look before is no ticket: what transfers asks again.
		kind := http.Header{"Content-Type": {"application/x-git-" + c.service + "-request"}}
		status, body, _ = f.request(http.MethodPost, "/"+c.app+".git/git-"+c.service, c.token, kind, []byte("0011want something"))
		if c.service == push && c.status != 401 {
			c.status = 200 // within git's protocol
		}
		if status != c.status || !strings.Contains(body, c.say) {
			t.Errorf("POST %s of %s as %q: %d %q, want %d %q", c.service, c.app, c.token, status, body, c.status, c.say)
		}
	}
	if _, err := f.AppByRepository(t.Context(), "missing"); err == nil {
		t.Error("who may not push has made an app")
	}
	if from := f.shown[0].From; from != "127.0.0.1" {
		t.Errorf("tokens are said to come from %q", from)
	}
}
