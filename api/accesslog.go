package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"renga/api/wire"
)

// logAccess logs one line per request, without query and body. Health checks come
// every few seconds, and are logged at level debug.
func (s *Server) logAccess(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.Now()
		seen := &statusWriter{ResponseWriter: w}
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

// shownPath gives a path without the URL of a log drain, which may contain a
// password.
func shownPath(path string) string {
	const drains = "/log-drains/"
	if before, _, ok := strings.Cut(path, drains); ok {
		return before + drains + "…"
	}
	return path
}

// statusWriter remembers the status that was sent.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap gives http.ResponseController the writer's other abilities.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
