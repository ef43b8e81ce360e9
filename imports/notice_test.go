package imports_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"renga"
	"renga/imports"
)

// told are notices as the senders document them, shortened to what is around what is
// read.
var told = map[string]struct {
	repository string // of the rule
	headers    map[string]string
	body       string
	tags       []string
}{
	"artifact-registry": {
		repository: "us-docker.pkg.dev/acme/images/shop",
		// {"action":"INSERT","digest":"us-docker.pkg.dev/acme/images/shop@sha256:6ec1","tag":"us-docker.pkg.dev/acme/images/shop:v1"}
		body: `{"message":{"attributes":{},"data":"eyJhY3Rpb24iOiJJTlNFUlQiLCJkaWdlc3QiOiJ1cy1kb2NrZXIucGtnLmRldi9hY21lL2ltYWdl` +
			`cy9zaG9wQHNoYTI1Njo2ZWMxIiwidGFnIjoidXMtZG9ja2VyLnBrZy5kZXYvYWNtZS9pbWFnZXMvc2hvcDp2MSJ9","messageId":"2070443601311540",` +
			`"publishTime":"2026-02-26T19:13:55.749Z"},"subscription":"projects/acme/subscriptions/renga"}`,
		tags: []string{"v1"},
	},
	"distribution": {
		repository: "registry.example:5000/acme/shop",
		body: `{"events":[{"id":"320678d8-ca14-430f-8bb6-4ca139cd83f7","timestamp":"2016-03-09T14:44:26.402973972-08:00",` +
			`"action":"pull","target":{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","size":708,` +
			`"digest":"sha256:fea8895f450959fa676bcc1df0611ea93823a735a01205fd8622846041d0c7cf","repository":"acme/shop",` +
			`"url":"http://192.168.100.227:5000/v2/acme/shop/manifests/sha256:fea8","tag":"v0"},"actor":{}},` +
			`{"id":"asdf-asdf-asdf-asdf-0","action":"push","target":{"repository":"acme/shop","tag":"v1"}},` +
			`{"id":"asdf-asdf-asdf-asdf-1","action":"push","target":{"repository":"acme/shop","digest":"sha256:fea8"}}]}`,
		tags: []string{"v1"},
	},
	"docker-hub": {
		repository: "acme/shop",
		body: `{"callback_url":"https://registry.hub.docker.com/u/acme/shop/hook/2141b5bi5i5b02bec211i4eeih0242eg11000a/",` +
			`"push_data":{"pushed_at":1417566161,"pusher":"ada","tag":"v1"},"repository":{"is_official":false,"name":"shop",` +
			`"namespace":"acme","owner":"acme","repo_name":"acme/shop","status":"Active"}}`,
		tags: []string{"v1"},
	},
	"ecr": {
		repository: "123456789012.dkr.ecr.us-west-2.amazonaws.com/shop",
		body: `{"version":"0","id":"13cde686-328b-6117-af20-0e5566167482","detail-type":"ECR Image Action","source":"aws.ecr",` +
			`"account":"123456789012","time":"2019-11-16T01:54:34Z","region":"us-west-2","resources":[],"detail":{"result":"SUCCESS",` +
			`"repository-name":"shop","image-digest":"sha256:7f5b","action-type":"PUSH","image-tag":"v1"}}`,
		tags: []string{"v1"},
	},
	"ghcr": {
		repository: "ghcr.io/acme/shop",
		headers:    map[string]string{"X-GitHub-Event": "registry_package", "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"},
		body: `{"action":"published","registry_package":{"id":1,"name":"shop","namespace":"Acme","ecosystem":"CONTAINER",` +
			`"package_type":"CONTAINER","owner":{"login":"Acme"},"package_version":{"id":2,"version":"sha256:7f5b","container_metadata":` +
			`{"tag":{"name":"v1","digest":"sha256:7f5b"},"labels":{}},"package_url":"ghcr.io/acme/shop:v1"}},"sender":{}}`,
		tags: []string{"v1"},
	},
	"gitea": {
		repository: "git.example/acme/shop",
		headers:    map[string]string{"X-Gitea-Event": "package", "X-Gitea-Delivery": "f6266f16-1bf3-46a5-9ea4-602e06ead473"},
		body: `{"action":"created","repository":null,"package":{"id":1,"owner":{"id":1,"login":"acme"},"creator":{"login":"ada"},` +
			`"type":"container","name":"shop","version":"v1","html_url":"https://git.example/acme/-/packages/container/shop/v1"}}`,
		tags: []string{"v1"},
	},
	"harbor": {
		repository: "harbor.example/acme/shop",
		body: `{"type":"PUSH_ARTIFACT","occur_at":1680501893,"operator":"harbor-jobservice","event_data":{"resources":[{"digest":` +
			`"sha256:954b","tag":"v1","resource_url":"harbor.example/acme/shop:v1"},{"digest":"sha256:955b","tag":"sha256:955b"}],` +
			`"repository":{"date_created":1680501893,"name":"shop","namespace":"acme","repo_full_name":"acme/shop","repo_type":"private"}}}`,
		tags: []string{"v1"},
	},
	"quay": {
		repository: "quay.io/acme/shop",
		body: `{"name":"shop","repository":"acme/shop","namespace":"acme","docker_url":"quay.io/acme/shop",` +
			`"homepage":"https://quay.io/repository/acme/shop","updated_tags":["v1","v2"]}`,
		tags: []string{"v1", "v2"},
	},
	"zot": {
		repository: "zot.example/acme/shop",
		headers:    map[string]string{"Ce-Id": "6e0e1a5f", "Ce-Type": "zotregistry.image.updated", "Ce-Specversion": "1.0"},
		body: `{"name":"acme/shop","reference":"v1","digest":"sha256:7f5b","mediaType":"application/vnd.oci.image.manifest.v1+json",` +
			`"manifest":"{}"}`,
		tags: []string{"v1"},
	},
}

// ruleURL is where notices for the rule are sent.
const ruleURL = "https://api.renga.example/webhooks/registry/of/it"

const ruleID = "a0000000-0000-4000-8000-000000000001"

func ruleOf(kind, repository, tags string) renga.ImportRule {
	return renga.ImportRule{
		ID: ruleID, Source: kind, Repository: repository, Tags: tags, Process: renga.Web, By: "ada", Secret: "s3cret-of-it",
	}
}

// notice is a request with a notice, proven in each way that there is.
func notice(kind string, secret renga.Secret, body string) *http.Request {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, body) // it never fails
	signature := hex.EncodeToString(mac.Sum(nil))
	r := httptest.NewRequest("POST", "/webhooks/registry/"+kind, strings.NewReader(body))
	switch kind {
	case "ghcr":
		r.Header.Set("X-Hub-Signature-256", "sha256="+signature)
	case "gitea":
		r.Header.Set("X-Gitea-Signature", signature)
	case "ecr":
		r.Header.Set("X-Api-Key", string(secret))
	case "zot":
		r.SetBasicAuth("renga", string(secret))
	case "harbor":
		r.Header.Set("Authorization", string(secret))
	case "distribution":
		r.Header.Set("Authorization", "Bearer "+string(secret))
	default:
		r.URL.RawQuery = "secret=" + string(secret)
	}
	return r
}

func proves(m *imports.Imports, r *http.Request, body string, rule renga.ImportRule) bool {
	proven, more := m.Admit(r, nil, rule, ruleURL)
	if more {
		proven, _ = m.Admit(r, []byte(body), rule, ruleURL)
	}
	return proven
}

// remembered are notices as they were remembered.
type remembered struct {
	mu  sync.Mutex
	all []renga.ReceivedNotice
}

func (r *remembered) AddNotice(_ context.Context, _ renga.AppID, n renga.ReceivedNotice) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, n)
	return nil
}

// takes is a room that takes notices, and does nothing.
func takes(s imports.Store) *imports.Imports { return takesAndTells(s, &remembered{}) }

func takesAndTells(s imports.Store, n imports.NoticeStore) *imports.Imports {
	return imports.New(imports.Options{
		Own: func(host string) bool { return host == "registry.renga.localhost" },
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}, s, n, nil, nil, nil)
}

// Each kind of sender is understood, in the form that it documents, and each delivery
// of it is ordered once.
func TestNoticesOfEachKind(t *testing.T) {
	for kind, c := range told {
		t.Run(kind, func(t *testing.T) {
			f := newFixture(t)
			m, rule := takes(f), ruleOf(kind, c.repository, "v*")
			rule.App = f.app.ID
			if err := m.CheckRule(rule); err != nil {
				t.Fatal(err)
			}
			r := notice(kind, rule.Secret, c.body)
			for name, value := range c.headers {
				r.Header.Set(name, value)
			}
			if !proves(m, r, c.body, rule) {
				t.Error("its proof is not taken")
			}
			var images []string
			for range 2 { // it is told again
				taken, err := m.Take(t.Context(), rule, r.Header, []byte(c.body))
				if err != nil || taken.Ignored != "" {
					t.Fatalf("%+v, %v", taken, err)
				}
				images = nil
				for _, i := range taken.Imports {
					images = append(images, i.Image)
				}
			}
			host, path, _ := renga.SplitRepository(c.repository)
			var want []string
			for _, tag := range c.tags {
				want = append(want, host+"/"+path+":"+tag)
			}
			if !reflect.DeepEqual(images, want) {
				t.Errorf("it asks for %v, want %v", images, want)
			}
			once := len(c.tags)
			if kind == "quay" { // which says the same words of every push
				once *= 2
			}
			all, err := f.Imports(t.Context(), f.app.ID)
			if err != nil || len(all) != once {
				t.Errorf("%d imports are ordered, want %d; %v", len(all), once, err)
			}
			for _, i := range all {
				if i.By != "ada" || i.Rule != ruleID || i.Digest != "" || i.State != renga.ImportMatched {
					t.Errorf("the import is %+v", i)
				}
			}
		})
	}
	if kinds := takes(nil).Sources(); len(kinds) != len(told)+1 || !slices.Contains(kinds, renga.Polled) {
		t.Errorf("there are %v", kinds)
	}
}

// A secret is shown in the way of its sender and in no other, and is not guessed.
func TestForgedNotices(t *testing.T) {
	m := takes(nil)
	for kind, c := range told {
		rule := ruleOf(kind, c.repository, "*")
		for name, r := range map[string]*http.Request{
			"nothing":            httptest.NewRequest("POST", "/", strings.NewReader(c.body)),
			"another secret":     notice(kind, "another-one", c.body),
			"no secret":          notice(kind, "", c.body),
			"a part of it":       notice(kind, rule.Secret[:5], c.body),
			"of another content": notice(kind, rule.Secret, c.body+" "),
		} {
			if name == "of another content" && kind != "ghcr" && kind != "gitea" {
				continue // they sign nothing
			}
			if proves(m, r, c.body, rule) {
				t.Errorf("%s: %s is a proof", kind, name)
			}
		}
		none := rule
		none.Secret = ""
		if proves(m, notice(kind, "", c.body), c.body, none) {
			t.Errorf("%s: a rule without a secret is open", kind)
		}
	}
	signed := notice("docker-hub", "s3cret-of-it", "{}")
	if proves(m, signed, "{}", ruleOf("ghcr", "ghcr.io/acme/shop", "*")) {
		t.Error("a signature can be replaced by the secret in the URL")
	}
	if proves(m, signed, "{}", ruleOf("nobody", "ghcr.io/acme/shop", "*")) {
		t.Error("an unknown kind is proven")
	}
}

// What a rule is not for is ignored with the reason, and what is no notice refused.
func TestNoticesThatDoNotMatch(t *testing.T) {
	f := newFixture(t)
	m := takes(f)
	ruled := func(kind, repository string) renga.ImportRule {
		rule := ruleOf(kind, repository, "v*")
		rule.App = f.app.ID
		return rule
	}
	event := func(repository, tag string) string {
		return `{"events":[{"id":"1","action":"push","target":{"repository":"` + repository + `","tag":"` + tag + `"}}]}`
	}
	for _, c := range []struct{ body, ignored string }{
		{event("acme/other", "v1"), "is not the repository ghcr.io/acme/shop"},
		{event("evil.example/acme/shop", "v1"), "is not the repository"},
		{event("acme/shop", "latest"), `"latest" does not match v*`},
		{event("acme/shop", "v1/../../x"), "does not match"},
		{event("acme/shop", "v1@sha256:00"), "does not match"},
		{`{"events":[]}`, "no tag that was pushed"},
		{`{}`, "no tag that was pushed"},
	} {
		taken, err := m.Take(t.Context(), ruled("distribution", "ghcr.io/acme/shop"), nil, []byte(c.body))
		if err != nil || !strings.Contains(taken.Ignored, c.ignored) || len(taken.Imports) != 0 {
			t.Errorf("%s: %+v, %v", c.body, taken, err)
		}
	}
	for kind := range told {
		for _, body := range []string{"", "[", `"x"`, `[1]`, strings.Repeat("[", 100_000)} {
			_, err := m.Take(t.Context(), ruled(kind, "ghcr.io/acme/shop"), http.Header{}, []byte(body))
			if renga.KindOf(err) != renga.Invalid {
				t.Errorf("%s: %.10s is %v", kind, body, err)
			}
		}
	}
	many := `{"repository":"acme/shop","updated_tags":["v1"` + strings.Repeat(`,"v2"`, 50)
	for n := range 50 {
		many += `,"v` + strings.Repeat("3", n+1) + `"`
	}
	taken, err := m.Take(t.Context(), ruled("quay", "quay.io/acme/shop"), nil, []byte(many+"]}"))
	if err != nil || len(taken.Imports) != 10 {
		t.Errorf("%d imports of one notice, %v", len(taken.Imports), err)
	}
}

func TestRulesThatCannotBe(t *testing.T) {
	m := takes(nil)
	for name, rule := range map[string]renga.ImportRule{
		"an unknown kind":     ruleOf("nobody", "ghcr.io/acme/shop", "v*"),
		"no repository":       ruleOf("ghcr", "", "v*"),
		"a repository's tag":  ruleOf("ghcr", "ghcr.io/acme/shop:v1", "v*"),
		"a path":              ruleOf("ghcr", "ghcr.io/../shop", "v*"),
		"our own registry":    ruleOf("distribution", "registry.renga.localhost/acme/shop", "v*"),
		"no pattern":          ruleOf("ghcr", "ghcr.io/acme/shop", ""),
		"a class":             ruleOf("ghcr", "ghcr.io/acme/shop", "v[0-9]"),
		"a pattern of a path": ruleOf("ghcr", "ghcr.io/acme/shop", "v/*"),
	} {
		if err := m.CheckRule(rule); renga.KindOf(err) != renga.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*renga.ImportRule){
		"polling too often":       func(r *renga.ImportRule) { r.Polling.Every = time.Second },
		"polling too seldom":      func(r *renga.ImportRule) { r.Polling.Every = 25 * time.Hour },
		"polling never":           func(r *renga.ImportRule) { r.Source = renga.Polled },
		"polling backwards":       func(r *renga.ImportRule) { r.Polling.Every = -time.Hour },
		"polling a pattern":       func(r *renga.ImportRule) { r.Polling.Every, r.Tags = time.Hour, "v*" },
		"a token of another kind": func(r *renga.ImportRule) { r.ServiceAccount = pusher },
		"no service account":      func(r *renga.ImportRule) { r.Source, r.ServiceAccount = "artifact-registry", "Ada <ada@acme.example>" },
	} {
		rule := ruleOf("ghcr", "ghcr.io/acme/shop", "v1")
		if err := m.CheckRule(rule); err != nil {
			t.Fatal(err)
		}
		change(&rule)
		if err := m.CheckRule(rule); renga.KindOf(err) != renga.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	tags := []string{"v1", "v10", "latest", "V1"}
	for pattern, want := range map[string][]string{"v*": {"v1", "v10"}, "v?": {"v1"}, "*": tags, "latest": {"latest"}} {
		got := slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return !renga.ImportRule{Tags: pattern}.Matches(tag) })
		if !slices.Equal(got, want) {
			t.Errorf("%s matches %v", pattern, got)
		}
	}
}

// What came is remembered, with what became of it and why; who shows no proof cannot
// fill the list, and no secret is in it.
func TestNoticesAreRemembered(t *testing.T) {
	f := newFixture(t)
	m, rule := takesAndTells(f, f), ruleOf("distribution", "ghcr.io/acme/shop", "v*")
	rule.App = f.app.ID
	event := func(tag string) []byte {
		return []byte(`{"events":[{"id":"` + tag + `","action":"push","target":{"repository":"acme/shop","tag":"` + tag + `"}}]}`)
	}
	for range 20 {
		if proves(m, notice("distribution", "a-wrong-secret", "{}"), "{}", rule) {
			t.Fatal("it is proven")
		}
	}
	matched, err := m.Take(t.Context(), rule, nil, event("v1"))
	if err != nil || len(matched.Imports) != 1 {
		t.Fatal(matched, err)
	}
	if _, err := m.Take(t.Context(), rule, nil, event("latest")); err != nil {
		t.Fatal(err)
	}
	all, err := f.Notices(t.Context(), f.app.ID)
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	for n, want := range []struct {
		decision renga.NoticeDecision
		reason   string
		imports  int
	}{
		{renga.NoticeRefused, "does not prove who sends it", 0},
		{renga.NoticeMatched, "", 1},
		{renga.NoticeIgnored, `The tag "latest" does not match v*.`, 0},
	} {
		got := all[n]
		if got.Decision != want.decision || !strings.Contains(got.Reason, want.reason) || len(got.Imports) != want.imports ||
			got.Rule != rule.ID || strings.Contains(got.Reason, "secret") {
			t.Errorf("notice %d is %+v", n, got)
		}
	}
	if all[1].Imports[0] != matched.Imports[0].ID {
		t.Errorf("it names the import %v", all[1].Imports)
	}
	for range renga.MaxNotices + 5 {
		if _, err := m.Take(t.Context(), rule, nil, event("latest")); err != nil {
			t.Fatal(err)
		}
	}
	all, err = f.Notices(t.Context(), f.app.ID)
	if err != nil || len(all) != renga.MaxNotices || all[0].Decision != renga.NoticeIgnored {
		t.Errorf("%d are remembered, the oldest is %+v; %v", len(all), all[0], err)
	}
}
