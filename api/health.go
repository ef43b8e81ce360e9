package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"renga"
	"renga/api/wire"
)

// checkTimeout bounds one health check.
const checkTimeout = 3 * time.Second

// health is the answer of /healthz, which needs no token, so it contains no
// secrets.
type health struct {
	Status  string            `json:"status"` // ok or degraded
	Version string            `json:"version"`
	Checks  map[string]string `json:"checks"` // ok, or a sentence that says what is wrong
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return wire.MethodNotAllowed(r.Method, http.MethodGet, http.MethodHead)
	}
	all, status := health{Status: "ok", Version: s.options.Version, Checks: map[string]string{}}, http.StatusOK
	for name, err := range s.check(r.Context()) {
		all.Checks[name] = "ok"
		if err != nil {
			// What Renga may not do is told, and keeps nobody from being served.
			if renga.KindOf(err) != renga.Forbidden {
				all.Status, status = "degraded", http.StatusServiceUnavailable
			}
			all.Checks[name] = renga.MessageOf(err, "This part does not work; the log says why.")
			s.Log.Warn("health check failed", "check", name, "err", err)
		}
	}
	return wire.Answer(w, status, all)
}

// check runs all checks at the same time.
func (s *Server) check(ctx context.Context) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex // guards results
		results = map[string]error{}
	)
	for name, check := range s.options.Checks {
		wg.Go(func() {
			err := check(ctx)
			mu.Lock()
			defer mu.Unlock()
			results[name] = err
		})
	}
	wg.Wait()
	return results
}
