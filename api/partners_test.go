package api_test

import (
	"net/http"
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

// TestAPartnersTokenReachesItsAddOnOnly calls every route with it: about its own
// add-on, about another one, and about what is none.
func TestAPartnersTokenReachesItsAddOnOnly(t *testing.T) {
	const own, other = "0e3a8d2c-0000-4000-8000-00000000000a", "0e3a8d2c-0000-4000-8000-00000000000b"
	const says = "This token is of the partner that provides the add-on " + own
	fixture := newFull()
	for _, rt := range locked() {
		for _, id := range []string{own, other, "postgresql-curved-12345"} {
			path := pathOf(strings.Replace(rt.Path(), "{addon}", id, 1))
			res, body := fixture.Ask(rt.Method(), path, `{}`, wiretest.Bearer(wiretest.PartnerToken+own))
			refused := res.StatusCode == http.StatusForbidden && strings.Contains(body, says)
			may := rt.Policy().AsksPartner() && strings.Contains(rt.Path(), "{addon}") && id == own
			if refused == may {
				t.Errorf("%s %s: %d %s; it may: %v", rt.Method(), path, res.StatusCode, body, may)
			}
		}
	}
}
