package events_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/notifications"

	"renga"
	"renga/api/events"
	"renga/api/wire/wiretest"
)

func TestWebhooksAreChecked(t *testing.T) {
	body := func(change string) string {
		all := map[string]any{"include": []string{"api:release"}, "level": "notify", "url": "https://example.com/in"}
		if err := json.Unmarshal([]byte(change), &all); err != nil {
			panic(err) // the change is written in this test
		}
		text, err := json.Marshal(all)
		if err != nil {
			panic(err)
		}
		return string(text)
	}
	refused := func(name, change, says string) scenario {
		return scenario{
			Name: name, Method: "POST", URL: "/apps/hello/webhooks", Body: body(change), Status: 422,
			Has: []string{says},
		}
	}
	run(t, []scenario{
		{
			Name: "all kinds", Method: "POST", URL: "/apps/hello/webhooks",
			Body: body(`{"include":["dyno","api:dyno","api:build","api:domain"]}`), Status: 201,
			Has: []string{`"include":["dyno","api:dyno","api:build","api:domain"]`},
		},
		refused("no level", `{"level":"loud"}`, `Level must be \"notify\"`),
		refused("nothing included", `{"include":[]}`, "Name what to include"),
		refused("unknown kind", `{"include":["api:moon"]}`, `There are no events of \"api:moon\".`),
		refused("no url", `{"url":"ftp://example.com"}`, "must be one that begins with https://"),
		refused("password in the url", `{"url":"https://me:pw@example.com/"}`, "no user name or password"),
		refused("loopback", `{"url":"http://127.0.0.1:8080/"}`, "--egress-allow"),
		refused("loopback, by name", `{"url":"http://app.localhost/"}`, "--egress-allow"),
		refused("link-local", `{"url":"http://[fe80::1]/"}`, "--egress-allow"),
		refused("odd authorization", `{"authorization":"a\nb"}`, "printable ASCII"),
		refused("authorization that is none", `{"authorization":7}`, "must be a string"),
		{
			Name: "unknown", URL: "/apps/hello/webhooks/" + wiretest.EventID, Status: 404,
			Has: []string{`"resource":"webhook"`},
		},
		{Name: "unknown delivery", URL: "/apps/hello/webhook-deliveries/" + wiretest.HookID, Status: 404},
		{Name: "unknown event", URL: "/apps/hello/webhook-events/" + wiretest.HookID, Status: 404},
		{Name: "others'", URL: "/apps/hello/webhooks", Headers: wiretest.AsBob, Status: 403},
		{
			Name: "without secrets", URL: "/apps/hello/webhooks", Has: []string{wiretest.HookID},
			HasNot: []string{wiretest.Marker},
		},
	})
}

// hookOf is a webhook of hello's with its secrets.
func hookOf(t *testing.T, r *fixture, id string) (hook renga.Webhook) {
	t.Helper()
	if err := r.DB.EditWebhooks(t.Context(), wiretest.Hello, func(all map[string]renga.Webhook) error {
		hook = all[id]
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return hook
}

func TestAWebhooksSecretIsToldOnce(t *testing.T) {
	fixture := newFixture()
	res, body := fixture.Ask(
		"POST", "/apps/hello/webhooks",
		`{"include":["dyno"],"level":"sync","url":"https://example.com/a","secret":null}`, nil,
	)
	made := wiretest.Fields(t, "["+body+"]", "id")[0]
	secret := res.Header.Get("Heroku-Webhook-Secret")
	if res.StatusCode != 201 || len(secret) != 60 || secret != string(hookOf(t, fixture, made).Secret) {
		t.Fatalf("%d %v: %s", res.StatusCode, res.Header, body)
	}
	res, body = fixture.Ask("PATCH", "/apps/hello/webhooks/"+made, `{"url":"https://example.com/b","level":"notify"}`, nil)
	if res.StatusCode != 200 || res.Header.Get("Heroku-Webhook-Secret") != "" || strings.Contains(body, secret) {
		t.Errorf("%d %v: %s", res.StatusCode, res.Header, body)
	}
	if now := hookOf(t, fixture, made); string(now.Secret) != secret || now.URL != "https://example.com/b" ||
		now.Level != renga.Notify {
		t.Errorf("webhook is %+v", now)
	}
	res, _ = fixture.Ask(
		"POST", "/apps/hello/webhooks",
		`{"include":["dyno"],"level":"sync","url":"https://example.com/a","secret":"mine"}`, nil,
	)
	if res.Header.Get("Heroku-Webhook-Secret") != "mine" {
		t.Errorf("headers are %v", res.Header)
	}
}

func TestAuthorizationIsKeptUntilItIsTakenAway(t *testing.T) {
	for body, want := range map[string]renga.Secret{
		`{}`: "Bearer " + wiretest.Marker, `{"authorization":"x"}`: "x", `{"authorization":null}`: "",
	} {
		url := "/apps/hello/webhooks/" + wiretest.HookID
		scenario{Method: "PATCH", URL: url, Body: body, After: func(t *testing.T, r *fixture, _ *http.Response) {
			if got := hookOf(t, r, wiretest.HookID).Authorization; got != want {
				t.Errorf("after %s it is %q", body, string(got))
			}
		}}.Play(t, newFixture())
	}
}

func TestAnAppHasTenWebhooks(t *testing.T) {
	fixture := newFixture()
	for n := 1; n <= 10; n++ {
		want, has := http.StatusCreated, fmt.Sprintf(`"url":"https://example.com/%d"`, n)
		if n == 10 {
			want, has = http.StatusUnprocessableEntity, "10 webhooks"
		}
		body := fmt.Sprintf(`{"include":["dyno"],"level":"sync","url":"https://example.com/%d"}`, n)
		scenario{Method: "POST", URL: "/apps/hello/webhooks", Body: body, Status: want, Has: []string{has}}.Play(t, fixture)
	}
}

func TestDeliveriesAreFilteredByStatus(t *testing.T) {
	run(t, []scenario{
		{
			Name: "as the CLI asks", URL: "/apps/hello/webhook-deliveries?eq[status]=retrying",
			Headers: wiretest.Header("Range", "seq ..; order=desc,max=1000"),
			Has:     []string{`"code":503`, `"status":"retrying"`, `"error_class":null`, `"next_attempt_at":"2026`},
		},
		{Name: "of none", URL: "/apps/hello/webhook-deliveries?eq[status]=succeeded", Has: []string{`[]`}},
	})
}

// The platform's webhooks are the operator's, and tell of content only.
func TestWebhooksOfThePlatform(t *testing.T) {
	run(t, []scenario{
		{
			Name: "added", Method: "POST", URL: "/platform/webhooks", Status: 201,
			Body: `{"include":["registry:push","registry:pull"],"level":"sync","url":"https://example.com/all"}`,
			Has:  []string{`"include":["registry:push","registry:pull"]`}, HasNot: []string{`"app"`, `"secret"`},
		},
		{
			Name: "of releases", Method: "POST", URL: "/platform/webhooks", Status: 422,
			Body: `{"include":["api:release"],"level":"sync","url":"https://example.com/all"}`,
			Has:  []string{`There are no events of`},
		},
		{
			Name: "to here", Method: "POST", URL: "/platform/webhooks", Status: 422,
			Body: `{"include":["registry:push"],"level":"sync","url":"http://169.254.169.254/"}`,
		},
		{
			Name: "of the disk", Method: "POST", URL: "/platform/webhooks", Status: 201,
			Body: `{"include":["platform:disk"],"level":"sync","url":"https://example.com/disk"}`,
			Has:  []string{`"include":["platform:disk"]`},
		},
		{
			Name: "of the disk, for an app", Method: "POST", URL: "/apps/hello/webhooks", Status: 422,
			Body: `{"include":["platform:disk"],"level":"sync","url":"https://example.com/disk"}`,
			Has:  []string{`There are no events of`},
		},
		{Name: "none yet", URL: "/platform/webhooks", Has: []string{`[]`}},
		{Name: "not there", URL: "/platform/webhooks/" + wiretest.HookID, Status: 404},
	})
	for _, path := range []string{"/platform/webhooks", "/platform/webhook-events", "/platform/webhook-deliveries"} {
		if res, body := newFixture().Ask("GET", path, "", wiretest.AsBob); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s as somebody else: %d %s", path, res.StatusCode, body)
		}
	}
}

// What the disk has become is told as all else is, but for an app.
func TestDiskEventsAreHerokusInForm(t *testing.T) {
	was, is := renga.DiskState{Level: renga.DiskOK, Free: 9, Total: 10}, renga.DiskState{Level: renga.DiskLow, Free: 1, Total: 10}
	got, err := events.New(newFixture().Door, events.Parts{}).Payload(t.Context(), renga.Event{
		ID: "1", Kind: renga.DiskEvent, Action: renga.Update, At: wiretest.Born, By: renga.Platform,
		Subject: renga.Subject{Disk: &is}, Before: renga.Subject{Disk: &was},
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"action":"update"`, `"resource":"disk"`, `"data":{"free_bytes":1,"level":"low","total_bytes":10}`,
		`"previous_data":{"free_bytes":9,"level":"ok"}`,
	} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s is not in %s", want, raw)
		}
	}
}

// A receiver that knows distribution's notifications knows these.
func TestContentEventsAreThoseOfDistribution(t *testing.T) {
	shown := events.New(newFixture().Door, events.Parts{})
	payload, err := shown.Payload(t.Context(), renga.Event{
		ID: "1", Kind: renga.PushEvent, At: wiretest.Born, Subject: renga.Subject{Content: &renga.Content{
			Repository: "hello/web", Tag: "v1", Digest: "sha256:1", MediaType: "m", Size: 7, Email: "ada@example.com",
			RequestID: "r", Addr: "192.0.2.1:5", Host: "registry.example", Method: "PUT", UserAgent: "docker",
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{"events": []any{payload}})
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Events []notifications.Event }
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	e := got.Events[0]
	if e.Action != notifications.EventActionPush || e.Target.Repository != "hello/web" || e.Target.Tag != "v1" ||
		e.Target.Digest != "sha256:1" || e.Target.Length != 7 || e.Target.Size != 7 || e.Actor.Name != "ada@example.com" ||
		e.Request.Addr != "192.0.2.1:5" || e.Request.UserAgent != "docker" || !e.Timestamp.Equal(wiretest.Born) ||
		e.Target.URL != "/v2/hello/web/manifests/sha256:1" {
		t.Errorf("%s is read as %+v", raw, e)
	}
}
