package wire_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"renga/api/wire"
	"renga/api/wire/wiretest"
	"renga/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// TestTheZeroPolicyIsRefusedToEverybody asks with the widest token too.
func TestTheZeroPolicyIsRefusedToEverybody(t *testing.T) {
	called := false
	route := wire.Get("/secrets", wire.Policy{}, func(http.ResponseWriter, *http.Request) error {
		called = true
		return nil
	})
	fixture := wiretest.New().Mount(func(*wire.Door) []wire.Route { return []wire.Route{route} })
	rec := httptest.NewRecorder()
	fixture.ServeHTTP(rec, wiretest.AsAda(httptest.NewRequest("GET", "/secrets", nil)))
	if called || rec.Code != http.StatusForbidden {
		t.Errorf("a route without a policy answers %d, called: %v", rec.Code, called)
	}
	rec = httptest.NewRecorder()
	fixture.ServeHTTP(rec, httptest.NewRequest("GET", "/secrets", nil))
	if called || rec.Code != http.StatusUnauthorized {
		t.Errorf("without a token it answers %d, called: %v", rec.Code, called)
	}
}
