package apps

import (
	"context"
	"net/http"
	"time"

	"renga"
	"renga/api/wire"
)

// Minutes gives what the dynos of apps used, and the requests that they got.
type Minutes interface {
	// Minutes gives those of the last day, oldest first.
	Minutes(ctx context.Context, app renga.AppID) ([]renga.Minute, error)
}

func (s *Server) metricRoutes() []wire.Route {
	return []wire.Route{
		// Not Heroku's: see docs/beyond-heroku.md.
		wire.Get("/apps/{app}/metrics", wire.Looking, s.listMetrics),
	}
}

// metric is a minute of a process type as JSON.
type metric struct {
	At          string  `json:"at"`
	ProcessType string  `json:"process_type"`
	Dynos       int     `json:"dynos"`
	Memory      int64   `json:"memory_bytes"`
	MaxMemory   int64   `json:"memory_max_bytes"`
	Quota       int64   `json:"memory_quota_bytes"`
	CPU         float64 `json:"cpus"`
	Requests    int64   `json:"requests"`
	Errors      int64   `json:"errors"`
	ServiceMS   float64 `json:"service_ms"`
}

func newMetric(m renga.Minute) metric {
	return metric{
		At: wire.Stamp(m.At), ProcessType: string(m.Type), Dynos: m.Dynos, Memory: m.Memory, MaxMemory: m.MaxMemory,
		Quota: m.Quota,
		CPU:   m.CPU, Requests: m.Requests, Errors: m.Errors, ServiceMS: float64(m.Service) / float64(time.Millisecond),
	}
}

func (s *Server) listMetrics(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var since time.Time
	if text := r.URL.Query().Get("since"); text != "" {
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			return wire.Invalid("Parameter \"since\" must be a time such as 2026-01-02T15:04:05Z.")
		}
	}
	minutes, err := s.parts.Minutes.Minutes(r.Context(), a.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	shown := []metric{}
	for _, m := range minutes {
		if typ := r.URL.Query().Get("process_type"); (typ == "" || typ == string(m.Type)) && !m.At.Before(since) {
			shown = append(shown, newMetric(m))
		}
	}
	return wire.Answer(w, http.StatusOK, shown)
}
