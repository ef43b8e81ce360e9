package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"renga"
)

const (
	hooked    = "60000000-0000-4000-8000-000000000001"
	happened  = "61000000-0000-4000-8000-000000000001"
	delivered = "62000000-0000-4000-8000-000000000001"
)

// mailbox is a webhook of hello's with one event and its delivery.
type mailbox struct {
	hooks  map[string]renga.Webhook
	events []renga.Event
	sent   []renga.Delivery
}

func newMailbox(w *world) *mailbox {
	hook := renga.Webhook{
		ID: hooked, URL: "https://example.com/hook", Level: renga.Sync, Include: []renga.EventKind{renga.AppEvent},
		Secret: "s3cret-" + marker, Authorization: "Bearer " + marker, CreatedAt: born, UpdatedAt: born,
	}
	app := w.apps[hello]
	changed := app
	changed.Maintenance = true
	return &mailbox{
		hooks: map[string]renga.Webhook{hooked: hook},
		events: []renga.Event{{
			ID: happened, Kind: renga.AppEvent, Action: renga.Update, At: born, By: ada.ID, App: app,
			Subject: renga.Subject{App: &changed}, Before: renga.Subject{App: &app},
		}},
		sent: []renga.Delivery{{
			ID: delivered, Event: happened, Kind: renga.AppEvent, Webhook: hooked, Level: renga.Sync, Status: renga.DeliveryRetrying,
			Attempts: 1, NextAttempt: born, CreatedAt: born, UpdatedAt: born,
			Last: &renga.Attempt{ID: "63000000-0000-4000-8000-000000000001", Code: 503, Began: born, Ended: born},
		}},
	}
}

func (m *mailbox) Webhooks(context.Context, renga.AppID) ([]renga.Webhook, error) {
	var all []renga.Webhook
	for _, id := range slices.Sorted(maps.Keys(m.hooks)) {
		hook := m.hooks[id]
		hook.Secret, hook.Authorization = "", ""
		all = append(all, hook)
	}
	return all, nil
}

func (m *mailbox) EditWebhooks(_ context.Context, _ renga.AppID, edit func(map[string]renga.Webhook) error) error {
	return edit(m.hooks)
}

func (m *mailbox) Events(context.Context, renga.AppID) ([]renga.Event, error) { return m.events, nil }

func (m *mailbox) Deliveries(context.Context, renga.AppID) ([]renga.Delivery, error) {
	return m.sent, nil
}

// reachable is what the platform lets webhooks reach: nothing near.
func reachable(ip netip.Addr) error {
	if ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return renga.Errorf(renga.Forbidden, "The operator may allow %s with --egress-allow.", ip)
	}
	return nil
}

func TestWebhooksAreChecked(t *testing.T) {
	body := func(change string) string {
		all := map[string]any{"include": []string{"api:release"}, "level": "notify", "url": "https://example.com/in"}
		if err := json.Unmarshal([]byte(change), &all); err != nil {
			panic(err) // of this test's own
		}
		text, err := json.Marshal(all)
		if err != nil {
			panic(err)
		}
		return string(text)
	}
	refused := func(name, change, says string) scenario {
		return scenario{name: name, method: "POST", url: "/apps/hello/webhooks", body: body(change), status: 422, has: []string{says}}
	}
	play(t, []scenario{
		{name: "all kinds", method: "POST", url: "/apps/hello/webhooks", body: body(`{"include":["dyno","api:dyno","api:build","api:domain"]}`), status: 201, has: []string{`"include":["dyno","api:dyno","api:build","api:domain"]`}},
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
		{name: "unknown", url: "/apps/hello/webhooks/" + happened, status: 404, has: []string{`"resource":"webhook"`}},
		{name: "unknown delivery", url: "/apps/hello/webhook-deliveries/" + hooked, status: 404},
		{name: "unknown event", url: "/apps/hello/webhook-events/" + hooked, status: 404},
		{name: "others'", url: "/apps/hello/webhooks", headers: asBob, status: 403},
		{name: "without secrets", url: "/apps/hello/webhooks", has: []string{hooked}, hasNot: []string{marker}},
	})
}

func TestAWebhooksSecretIsToldOnce(t *testing.T) {
	rig := furnished()
	res, body := rig.ask("POST", "/apps/hello/webhooks", `{"include":["dyno"],"level":"sync","url":"https://example.com/a","secret":null}`, nil)
	made := fields(t, "["+body+"]", "id")[0]
	secret := res.Header.Get("Heroku-Webhook-Secret")
	if res.StatusCode != 201 || len(secret) != 60 || secret != string(rig.mailbox.hooks[made].Secret) {
		t.Fatalf("%d %v: %s", res.StatusCode, res.Header, body)
	}
	res, body = rig.ask("PATCH", "/apps/hello/webhooks/"+made, `{"url":"https://example.com/b","level":"notify"}`, nil)
	if res.StatusCode != 200 || res.Header.Get("Heroku-Webhook-Secret") != "" || strings.Contains(body, secret) {
		t.Errorf("%d %v: %s", res.StatusCode, res.Header, body)
	}
	if now := rig.mailbox.hooks[made]; string(now.Secret) != secret || now.URL != "https://example.com/b" || now.Level != renga.Notify {
		t.Errorf("webhook is %+v", now)
	}
	res, _ = rig.ask("POST", "/apps/hello/webhooks", `{"include":["dyno"],"level":"sync","url":"https://example.com/a","secret":"mine"}`, nil)
	if res.Header.Get("Heroku-Webhook-Secret") != "mine" {
		t.Errorf("headers are %v", res.Header)
	}
}

func TestAuthorizationIsKeptUntilItIsTakenAway(t *testing.T) {
	fresh := furnished()
	for body, want := range map[string]renga.Secret{`{}`: "Bearer " + marker, `{"authorization":"x"}`: "x", `{"authorization":null}`: ""} {
		fresh.mailbox.hooks[hooked] = newMailbox(fresh.world).hooks[hooked]
		scenario{method: "PATCH", url: "/apps/hello/webhooks/" + hooked, body: body, after: func(t *testing.T, r *rig, _ *http.Response) {
			if got := r.mailbox.hooks[hooked].Authorization; got != want {
				t.Errorf("after %s it is %q", body, string(got))
			}
		}}.play(t, fresh)
	}
}

func TestAnAppHasTenWebhooks(t *testing.T) {
	rig := furnished()
	for n := 1; n <= 10; n++ {
		want, has := http.StatusCreated, fmt.Sprintf(`"url":"https://example.com/%d"`, n)
		if n == 10 {
			want, has = http.StatusUnprocessableEntity, "10 webhooks"
		}
		body := fmt.Sprintf(`{"include":["dyno"],"level":"sync","url":"https://example.com/%d"}`, n)
		scenario{method: "POST", url: "/apps/hello/webhooks", body: body, status: want, has: []string{has}}.play(t, rig)
	}
}

func TestDeliveriesAreFilteredByStatus(t *testing.T) {
	play(t, []scenario{
		{name: "as the CLI asks", url: "/apps/hello/webhook-deliveries?eq[status]=retrying", headers: header("Range", "seq ..; order=desc,max=1000"), has: []string{`"code":503`, `"status":"retrying"`, `"error_class":null`, `"next_attempt_at":"2026`}},
		{name: "of none", url: "/apps/hello/webhook-deliveries?eq[status]=succeeded", has: []string{`[]`}},
	})
}

func TestPayloadsAreWhatTheAPIShows(t *testing.T) {
	rig := furnished()
	app := rig.world.apps[hello]
	starting, up := rig.world.dynos[0], rig.world.dynos[0]
	up.State, up.Since = renga.Up, born.AddDate(0, 0, 1)
	rec := rig.world.record(hello, 3)
	scale := func(n int) renga.Subject {
		return renga.Subject{Process: &renga.Process{Type: "web", Scale: renga.Scale{Quantity: n, Size: "eco", CreatedAt: born, UpdatedAt: born}}}
	}
	for _, c := range []struct {
		kind        renga.EventKind
		now, before renga.Subject
		has         []string
	}{
		{renga.AppEvent, renga.Subject{App: &app}, renga.Subject{}, []string{`"resource":"app"`, `"previous_data":{}`, `"web_url":"http://hello.renga.localhost:5000/"`}},
		{renga.ReleaseEvent, renga.Subject{Release: &rec}, renga.Subject{}, []string{`"resource":"release"`, `"version":3`, `"current":true`, `"description":"Set COLOR, SECRET config vars"`}},
		{renga.BuildEvent, renga.Subject{Release: &rec}, renga.Subject{}, []string{`"resource":"build"`, `"status":"succeeded"`, `"source_blob":{`}},
		{renga.DynoEvent, renga.Subject{Dyno: &up}, renga.Subject{Dyno: &starting}, []string{`"resource":"dyno"`, `"state":"up"`, `"previous_data":{"state":"starting","updated_at":"2026-01-02T03:04:05Z"}`}},
		{renga.FormationEvent, scale(2), scale(1), []string{`"resource":"formation"`, `"quantity":2`, `"previous_data":{"quantity":1}`}},
		{renga.CollaboratorEvent, renga.Subject{Collaborator: &renga.Collaborator{ID: hooked, Account: bob.ID}}, renga.Subject{}, []string{`"resource":"collaborator"`, `"email":"bob@example.com"`}},
		{renga.DomainEvent, renga.Subject{Domain: &renga.Domain{ID: hooked, App: hello, Hostname: "www.example.com"}}, renga.Subject{}, []string{`"resource":"domain"`, `"hostname":"www.example.com"`, `"cname":"hello.renga.localhost"`}},
		{renga.EndpointEvent, renga.Subject{Endpoint: &renga.Endpoint{ID: hooked, App: hello, Name: "tokyo-1"}}, renga.Subject{}, []string{`"resource":"sni-endpoint"`, `"name":"tokyo-1"`, `"domains":[]`}},
	} {
		payload, err := rig.Payload(t.Context(), renga.Event{ID: happened, Kind: c.kind, Action: renga.Update, At: born, App: app, Subject: c.now, Before: c.before})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range append(c.has, `"action":"update"`, `"sequence":null`, `"actor":{"email":"platform@renga.localhost"`, `"version":"application/vnd.heroku+json; version=3"`) {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s lacks %s: %s", c.kind, want, text)
			}
		}
		if strings.Contains(string(text), marker) {
			t.Errorf("%s tells a secret: %s", c.kind, text)
		}
	}
}
