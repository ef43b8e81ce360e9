// Package platform answers the routes of what belongs to no app, and that the
// operator alone may ask for: what can be collected in the registry, and what takes up the
// disk; also what an app takes up of it.
package platform

import (
	"context"
	"net/http"

	"renga"
	"renga/api/wire"
)

// Parts are the rooms that the family needs.
type Parts struct {
	Collector Collector
	Disk      Disk
	Apps      Apps
	// Operator is the account that the platform was started with.
	Operator renga.AccountID
}

// Collector removes from the registry what nothing needs any more.
type Collector interface {
	// Collect does it now, or only says what it would do; Conflict while another
	// collection is under way.
	Collect(ctx context.Context, dryRun bool) (renga.Collection, error)
	// Collections are the last ones in earnest, the newest first.
	Collections() []renga.Collection
}

// Server answers the family's routes.
type Server struct {
	*wire.Door
	parts Parts
}

// New makes a Server.
func New(d *wire.Door, p Parts) *Server { return &Server{Door: d, parts: p} }

// Routes gives all routes of the family. They are not Heroku's: see
// docs/beyond-heroku.md.
func (s *Server) Routes() []wire.Route {
	return append([]wire.Route{
		wire.Get("/platform/collections", wire.WholeToken, s.collections),
		wire.Post("/platform/collections", wire.WholeToken, s.collect),
	}, s.diskRoutes()...)
}

// collected is a collection as JSON.
type collected struct {
	Apps          []collectedApp `json:"apps"`
	Bytes         int64          `json:"bytes"`
	DryRun        bool           `json:"dry_run"`
	Fault         *string        `json:"fault"`
	Kept          int            `json:"kept"`
	LongestHoldMs float64        `json:"longest_hold_ms"`
	LongestWaitMs float64        `json:"longest_wait_ms"`
	Marked        int            `json:"marked"`
	Removed       int            `json:"removed"`
	Seconds       float64        `json:"seconds"`
	StartedAt     string         `json:"started_at"`
}

// collectedApp is what goes of one app. Name is null for what belongs to none any
// more; expired are versions of releases that lose their images.
type collectedApp struct {
	Bytes   int64   `json:"bytes"`
	Expired []int   `json:"expired"`
	Images  int     `json:"images"`
	Name    *string `json:"name"`
}

func (s *Server) onlyOperator(r *http.Request) error {
	if wire.Caller(r).ID != s.parts.Operator {
		return renga.Errorf(renga.Forbidden, "Only the platform's operator may do that.")
	}
	return nil
}

// collections lists the last collections.
func (s *Server) collections(w http.ResponseWriter, r *http.Request) error {
	if err := s.onlyOperator(r); err != nil {
		return err
	}
	shown := []collected{}
	for _, one := range s.parts.Collector.Collections() {
		shown = append(shown, newCollected(one))
	}
	return wire.Answer(w, http.StatusOK, shown)
}

// collect frees the registry's disk of what nothing needs, or says what it would
// free.
func (s *Server) collect(w http.ResponseWriter, r *http.Request) error {
	if err := s.onlyOperator(r); err != nil {
		return err
	}
	var asked struct {
		DryRun bool `json:"dry_run"`
	}
	if err := wire.Decode(r, &asked); err != nil {
		return err
	}
	got, err := s.parts.Collector.Collect(r.Context(), asked.DryRun)
	if err != nil {
		return err
	}
	if !asked.DryRun {
		s.Audit(r, "content collected", "", "removed", got.Removed, "bytes", got.Bytes)
	}
	return wire.Answer(w, http.StatusOK, newCollected(got))
}

func newCollected(got renga.Collection) collected {
	shown := collected{
		Apps: []collectedApp{}, Bytes: got.Bytes, DryRun: got.DryRun, Kept: got.Kept, Removed: got.Removed,
		LongestHoldMs: float64(got.LongestHold.Microseconds()) / 1000, Seconds: got.Took.Seconds(), Marked: got.Marked,
		LongestWaitMs: float64(got.LongestWait.Microseconds()) / 1000,
		StartedAt:     wire.Stamp(got.StartedAt),
	}
	if got.Fault != "" {
		shown.Fault = &got.Fault
	}
	for _, a := range got.Apps {
		one := collectedApp{Bytes: a.Bytes, Expired: append([]int{}, a.Expired...), Images: a.Images}
		if a.App != "" {
			one.Name = &a.App
		}
		shown.Apps = append(shown.Apps, one)
	}
	return shown
}
