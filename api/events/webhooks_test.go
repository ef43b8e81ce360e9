package events_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

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
	fixture := newFixture()
	res, body := fixture.Ask(
		"POST", "/apps/hello/webhooks",
		`{"include":["dyno"],"level":"sync","url":"https://example.com/a","secret":null}`, nil,
	)
	made := wiretest.Fields(t, "["+body+"]", "id")[0]
	secret := res.Header.Get("Heroku-Webhook-Secret")
	if res.StatusCode != 201 || len(secret) != 60 || secret != string(fixture.FakeWebhooks.Hooks[made].Secret) {
		t.Fatalf("%d %v: %s", res.StatusCode, res.Header, body)
	}
	res, body = fixture.Ask("PATCH", "/apps/hello/webhooks/"+made, `{"url":"https://example.com/b","level":"notify"}`, nil)
	if res.StatusCode != 200 || res.Header.Get("Heroku-Webhook-Secret") != "" || strings.Contains(body, secret) {
		t.Errorf("%d %v: %s", res.StatusCode, res.Header, body)
	}
	if now := fixture.FakeWebhooks.Hooks[made]; string(now.Secret) != secret || now.URL != "https://example.com/b" ||
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
	fresh := newFixture()
	for body, want := range map[string]renga.Secret{
		`{}`: "Bearer " + wiretest.Marker, `{"authorization":"x"}`: "x", `{"authorization":null}`: "",
	} {
		fresh.FakeWebhooks.Hooks[wiretest.Hooked] = wiretest.NewFakeWebhooks(fresh.FakeRooms).Hooks[wiretest.Hooked]
		url := "/apps/hello/webhooks/" + wiretest.Hooked
		scenario{Method: "PATCH", URL: url, Body: body, After: func(t *testing.T, r *fixture, _ *http.Response) {
			if got := r.FakeWebhooks.Hooks[wiretest.Hooked].Authorization; got != want {
				t.Errorf("after %s it is %q", body, string(got))
			}
		}}.Play(t, fresh)
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
