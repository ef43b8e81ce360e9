package api_test

import (
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

// TestSecretsInURLsAreNotLogged: some registries can show a webhook's secret there only.
func TestSecretsInURLsAreNotLogged(t *testing.T) {
	r := newFull()
	const at = "/webhooks/registry/quay/90000000-0000-4000-8000-00000000000e/a0000000-0000-4000-8000-00000000000f"
	res, body := r.Ask("POST", at+"?secret="+wiretest.Marker, "{}", nil)
	if said := r.Logged.String(); res.StatusCode != 404 || !strings.Contains(said, at) || strings.Contains(said, wiretest.Marker) {
		t.Errorf("%d %s, logged %s", res.StatusCode, body, said)
	}
}
