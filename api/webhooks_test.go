package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

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
		return scenario{
			Name: name, Method: "POST", URL: "/apps/hello/webhooks", Body: body(change), Status: 422,
			Has: []string{says},
		}
	}
	play(t, []scenario{
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
			Name: "unknown", URL: "/apps/hello/webhooks/" + wiretest.Happened, Status: 404,
			Has: []string{`"resource":"webhook"`},
		},
		{Name: "unknown delivery", URL: "/apps/hello/webhook-deliveries/" + wiretest.Hooked, Status: 404},
		{Name: "unknown event", URL: "/apps/hello/webhook-events/" + wiretest.Hooked, Status: 404},
		{Name: "others'", URL: "/apps/hello/webhooks", Headers: wiretest.AsBob, Status: 403},
		{
			Name: "without secrets", URL: "/apps/hello/webhooks", Has: []string{wiretest.Hooked},
			HasNot: []string{wiretest.Marker},
		},
	})
}

func TestAWebhooksSecretIsToldOnce(t *testing.T) {
	rig := furnished()
	res, body := rig.Ask(
		"POST", "/apps/hello/webhooks",
		`{"include":["dyno"],"level":"sync","url":"https://example.com/a","secret":null}`, nil,
	)
	made := wiretest.Fields(t, "["+body+"]", "id")[0]
	secret := res.Header.Get("Heroku-Webhook-Secret")
	if res.StatusCode != 201 || len(secret) != 60 || secret != string(rig.Mailbox.Hooks[made].Secret) {
		t.Fatalf("%d %v: %s", res.StatusCode, res.Header, body)
	}
	res, body = rig.Ask("PATCH", "/apps/hello/webhooks/"+made, `{"url":"https://example.com/b","level":"notify"}`, nil)
	if res.StatusCode != 200 || res.Header.Get("Heroku-Webhook-Secret") != "" || strings.Contains(body, secret) {
		t.Errorf("%d %v: %s", res.StatusCode, res.Header, body)
	}
	if now := rig.Mailbox.Hooks[made]; string(now.Secret) != secret || now.URL != "https://example.com/b" ||
		now.Level != renga.Notify {
		t.Errorf("webhook is %+v", now)
	}
	res, _ = rig.Ask(
		"POST", "/apps/hello/webhooks",
		`{"include":["dyno"],"level":"sync","url":"https://example.com/a","secret":"mine"}`, nil,
	)
	if res.Header.Get("Heroku-Webhook-Secret") != "mine" {
		t.Errorf("headers are %v", res.Header)
	}
}

func TestAuthorizationIsKeptUntilItIsTakenAway(t *testing.T) {
	fresh := furnished()
	for body, want := range map[string]renga.Secret{
		`{}`: "Bearer " + wiretest.Marker, `{"authorization":"x"}`: "x", `{"authorization":null}`: "",
	} {
		fresh.Mailbox.Hooks[wiretest.Hooked] = wiretest.NewMailbox(fresh.World).Hooks[wiretest.Hooked]
		url := "/apps/hello/webhooks/" + wiretest.Hooked
		scenario{Method: "PATCH", URL: url, Body: body, After: func(t *testing.T, r *rig, _ *http.Response) {
			if got := r.Mailbox.Hooks[wiretest.Hooked].Authorization; got != want {
				t.Errorf("after %s it is %q", body, string(got))
			}
		}}.Play(t, fresh)
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
		scenario{Method: "POST", URL: "/apps/hello/webhooks", Body: body, Status: want, Has: []string{has}}.Play(t, rig)
	}
}

func TestDeliveriesAreFilteredByStatus(t *testing.T) {
	play(t, []scenario{
		{
			Name: "as the CLI asks", URL: "/apps/hello/webhook-deliveries?eq[status]=retrying",
			Headers: wiretest.Header("Range", "seq ..; order=desc,max=1000"),
			Has:     []string{`"code":503`, `"status":"retrying"`, `"error_class":null`, `"next_attempt_at":"2026`},
		},
		{Name: "of none", URL: "/apps/hello/webhook-deliveries?eq[status]=succeeded", Has: []string{`[]`}},
	})
}

func TestPayloadsAreWhatTheAPIShows(t *testing.T) {
	rig := furnished()
	app := rig.World.Apps[wiretest.Hello]
	starting, up := rig.World.Running[0], rig.World.Running[0]
	up.State, up.Since = renga.Up, wiretest.Born.AddDate(0, 0, 1)
	rec := rig.World.Record(wiretest.Hello, 3)
	scale := func(n int) renga.Subject {
		return renga.Subject{
			Process: &renga.Process{
				Type:  "web",
				Scale: renga.Scale{Quantity: n, Size: "eco", CreatedAt: wiretest.Born, UpdatedAt: wiretest.Born},
			},
		}
	}
	for _, c := range []struct {
		kind        renga.EventKind
		now, before renga.Subject
		has         []string
	}{
		{
			renga.AppEvent, renga.Subject{App: &app}, renga.Subject{},
			[]string{`"resource":"app"`, `"previous_data":{}`, `"web_url":"http://hello.renga.localhost:5000/"`},
		},
		{
			renga.ReleaseEvent, renga.Subject{Release: &rec}, renga.Subject{},
			[]string{
				`"resource":"release"`, `"version":3`, `"current":true`,
				`"description":"Set COLOR, SECRET config vars"`,
			},
		},
		{
			renga.BuildEvent, renga.Subject{Release: &rec}, renga.Subject{},
			[]string{`"resource":"build"`, `"status":"succeeded"`, `"source_blob":{`},
		},
		{
			renga.DynoEvent, renga.Subject{Dyno: &up}, renga.Subject{Dyno: &starting},
			[]string{
				`"resource":"dyno"`, `"state":"up"`,
				`"previous_data":{"state":"starting","updated_at":"2026-01-02T03:04:05Z"}`,
			},
		},
		{
			renga.FormationEvent, scale(2), scale(1),
			[]string{`"resource":"formation"`, `"quantity":2`, `"previous_data":{"quantity":1}`},
		},
		{
			renga.CollaboratorEvent,
			renga.Subject{Collaborator: &renga.Collaborator{ID: wiretest.Hooked, Account: wiretest.Bob.ID}},
			renga.Subject{}, []string{`"resource":"collaborator"`, `"email":"bob@example.com"`},
		},
		{
			renga.DomainEvent,
			renga.Subject{Domain: &renga.Domain{ID: wiretest.Hooked, App: wiretest.Hello, Hostname: "www.example.com"}},
			renga.Subject{},
			[]string{`"resource":"domain"`, `"hostname":"www.example.com"`, `"cname":"hello.renga.localhost"`},
		},
		{
			renga.EndpointEvent,
			renga.Subject{Endpoint: &renga.Endpoint{ID: wiretest.Hooked, App: wiretest.Hello, Name: "tokyo-1"}},
			renga.Subject{}, []string{`"resource":"sni-endpoint"`, `"name":"tokyo-1"`, `"domains":[]`},
		},
	} {
		payload, err := payloads(rig).Payload(
			t.Context(),
			renga.Event{
				ID: wiretest.Happened, Kind: c.kind, Action: renga.Update, At: wiretest.Born, App: app,
				Subject: c.now, Before: c.before,
			},
		)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range append(
			c.has, `"action":"update"`, `"sequence":null`, `"actor":{"email":"platform@renga.localhost"`,
			`"version":"application/vnd.heroku+json; version=3"`,
		) {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s lacks %s: %s", c.kind, want, text)
			}
		}
		if strings.Contains(string(text), wiretest.Marker) {
			t.Errorf("%s tells a secret: %s", c.kind, text)
		}
	}
}
