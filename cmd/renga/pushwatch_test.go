package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// TestAPushIsOverAPauseAfterItsLastRequest: the pauses between the requests of
// a push are no end of it.
func TestAPushIsOverAPauseAfterItsLastRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pushWatch{registry: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPatch {
				time.Sleep(10 * time.Second) // a slow layer
			}
		})}
		ask := func(method string) {
			p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "/v2/hello/web/blobs/uploads/1", nil))
		}
		took := func(ctx context.Context) time.Duration {
			begin := time.Now()
			p.Finish(ctx)
			return time.Since(begin)
		}
		ask(http.MethodGet)
		if d := took(t.Context()); d != 0 {
			t.Errorf("with nobody pushing it took %s", d)
		}
		go func() {
			ask(http.MethodPatch)
			time.Sleep(pushPause / 2)
			ask(http.MethodPut)
		}()
		synctest.Wait()
		if d, want := took(t.Context()), 10*time.Second+pushPause/2+pushPause; d < want || d > want+pushPause {
			t.Errorf("it took %s, want %s", d, want)
		}
		go ask(http.MethodPatch)
		synctest.Wait()
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if d := took(brief); d != time.Second {
			t.Errorf("with an end of patience it took %s", d)
		}
		time.Sleep(10 * time.Second)
	})
}
