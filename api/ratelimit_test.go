package api_test

import (
	"strings"
	"testing"
	"time"

	"renga/api"
	"renga/api/wire/wiretest"
)

func TestRateLimit(t *testing.T) {
	fixture := newFixtureWith(func(o *api.Options) { o.RateLimit = 3 })
	for left := range 3 {
		res, _ := fixture.Ask("GET", "/regions", "", nil)
		if got, want := res.Header.Get("RateLimit-Remaining"), string(rune('2'-left)); res.StatusCode != 200 ||
			got != want {
			t.Errorf("%d, remaining %q, want %s", res.StatusCode, got, want)
		}
	}
	res, body := fixture.Ask("GET", "/regions", "", nil)
	if res.StatusCode != 429 ||
		!strings.Contains(body, `{"id":"rate_limit","message":"Your account reached the API rate limit.`) ||
		res.Header.Get("RateLimit-Remaining") != "0" {
		t.Errorf("%d %v: %s", res.StatusCode, res.Header, body)
	}
	if res, body := fixture.Ask("GET", "/account/rate-limits", "", nil); res.StatusCode != 200 ||
		strings.TrimSpace(body) != `{"remaining":0}` {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
	if res, _ := fixture.Ask("GET", "/regions", "", wiretest.AsBob); res.StatusCode != 200 {
		t.Errorf("another account gets %d", res.StatusCode)
	}
	fixture.Late += time.Hour / 3
	if res, _ := fixture.Ask("GET", "/regions", "", nil); res.StatusCode != 200 {
		t.Errorf("after a third of an hour: %d", res.StatusCode)
	}
}
