package events_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

const partnersPath = "/addons/" + string(wiretest.Database)

var asPartner = wiretest.Bearer(wiretest.PartnerToken + string(wiretest.Database))

// What a partner is told, and what the people of the app are, is each one's own.
func TestAPartnersWebhooksAreItsOwn(t *testing.T) {
	f := newFixture(wiretest.AddAll)
	for path, want := range map[string][2]string{
		"/webhooks":           {wiretest.PartnerHook, wiretest.HookID},
		"/webhook-deliveries": {wiretest.PartnerDelivery, wiretest.Delivery.ID},
	} {
		_, partners := f.Ask("GET", partnersPath+path, "", asPartner)
		_, apps := f.Ask("GET", "/apps/hello"+path, "", nil)
		if !strings.Contains(partners, want[0]) || strings.Contains(partners, want[1]) {
			t.Errorf("%s of the partner: %s", path, partners)
		}
		if !strings.Contains(apps, want[1]) || strings.Contains(apps, want[0]) {
			t.Errorf("%s of the app: %s", path, apps)
		}
	}
	for _, c := range [][2]string{
		{"GET", partnersPath + "/webhooks/" + wiretest.HookID}, {"DELETE", partnersPath + "/webhooks/" + wiretest.HookID},
		{"GET", "/apps/hello/webhooks/" + wiretest.PartnerHook}, {"DELETE", "/apps/hello/webhooks/" + wiretest.PartnerHook},
		{"GET", partnersPath + "/webhook-deliveries/" + wiretest.Delivery.ID},
	} {
		headers := asPartner
		if strings.HasPrefix(c[1], "/apps") {
			headers = nil
		}
		if res, body := f.Ask(c[0], c[1], "", headers); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s %s: %d %s", c[0], c[1], res.StatusCode, body)
		}
	}
}

func TestAPartnerSubscribes(t *testing.T) {
	f := newFixture(wiretest.AddAll)
	res, body := f.Ask("POST", partnersPath+"/webhooks",
		`{"include":["api:release"],"level":"sync","url":"https://partner.example/hook"}`, asPartner)
	if res.StatusCode != http.StatusCreated || res.Header.Get("Heroku-Webhook-Secret") == "" ||
		!strings.Contains(body, `"addon":{"id":"`+string(wiretest.Database)+`","name":"postgresql-curved-12345"}`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	hooks, err := f.DB.Webhooks(t.Context(), wiretest.Hello)
	if err != nil || !slices.ContainsFunc(hooks, func(h renga.Webhook) bool {
		return h.AddOn == wiretest.Database && h.URL == "https://partner.example/hook"
	}) {
		t.Errorf("%v, %d webhooks", err, len(hooks))
	}
	for _, as := range []map[string]string{wiretest.AsBob, wiretest.Bearer("ada-token/read-protected")} {
		if res, body := f.Ask("GET", partnersPath+"/webhooks", "", as); res.StatusCode < 400 {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	}
	if res, body := f.Ask("POST", partnersPath+"/webhooks",
		`{"include":["api:release"],"level":"sync","url":"https://people.example/hook"}`, nil); res.StatusCode != http.StatusForbidden ||
		!strings.Contains(body, "add yours to the app hello") {
		t.Errorf("people add webhooks beyond those that their app may have: %d %s", res.StatusCode, body)
	}
	if res, body := f.Ask("POST", partnersPath+"/webhooks",
		`{"include":["registry:push"],"level":"sync","url":"https://partner.example/hook"}`,
		asPartner); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a partner is told what is pushed: %d %s", res.StatusCode, body)
	}
	for i := range 12 {
		res, _ = f.Ask("POST", partnersPath+"/webhooks",
			`{"include":["api:release"],"level":"sync","url":"https://partner.example/hook"}`, asPartner)
		if i == 11 && res.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("a partner has more webhooks than anybody: %d", res.StatusCode)
		}
	}
}
