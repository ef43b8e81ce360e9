package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"renga/api/wire"
)

// logAccess writes one line per request, without query and bodies. Health
// checks come every few seconds and are logged at debug level only.
func (s *Server) logAccess(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.Now()
		seen := &watched{ResponseWriter: w}
		next.ServeHTTP(seen, r)
		level := slog.LevelInfo
		if r.URL.Path == "/healthz" {
			level = slog.LevelDebug
		}
		v := wire.InfoOf(r)
		s.Log.Log(context.WithoutCancel(r.Context()), level, "api request", "request", v.ID,
			"method", r.Method, "path", shownPath(r.URL.Path), "status", seen.code(), "duration", s.Now().Sub(start),
			"account", v.Bearer.Account.ID, "app", v.App)
	})
}

// shownPath is a path without the URL of a log drain, by which clients name it:
// it may hold a password.
func shownPath(path string) string {
	const drains = "/log-drains/"
	if before, _, ok := strings.Cut(path, drains); ok {
		return before + drains + "…"
	}
	return path
}

// watched remembers the status that was sent.
type watched struct {
	http.ResponseWriter
	status int
}

func (w *watched) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find the writer's other abilities.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *watched) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
