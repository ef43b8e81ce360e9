package apps

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"renga"
	"renga/api/wire"
)

// Sleeps tells which apps sleep, and when their last request came.
type Sleeps interface {
	Desired(ctx context.Context, app renga.AppID) (renga.Desired, error)
	// LastRequest is the time at which the last request to the app ended: now while
	// one is under way, zero if none has come since the start of Renga.
	LastRequest(app renga.AppID) time.Time
}

func (s *Server) sleepRoutes() []wire.Route {
	return []wire.Route{
		// Not Heroku's: see docs/beyond-heroku.md.
		wire.Get("/apps/{app}/sleep", wire.Looking, s.sleepInfo),
		wire.Patch("/apps/{app}/sleep", wire.Operating, s.updateSleep),
	}
}

// sleep is an app's sleep as JSON. After is in seconds, and null for an app that
// never sleeps. Since is null while the app is awake.
type sleep struct {
	After         *int     `json:"after"`
	App           wire.Ref `json:"app"`
	Asleep        bool     `json:"asleep"`
	LastRequestAt *string  `json:"last_request_at"`
	Since         *string  `json:"since"`
	UpdatedAt     string   `json:"updated_at"`
}

func newSleep(d renga.Desired, lastRequest time.Time) sleep {
	shown := sleep{
		App: wire.AppRef(d.App), Asleep: d.Asleep(), LastRequestAt: wire.StampOrNull(lastRequest),
		UpdatedAt: wire.Stamp(d.App.UpdatedAt),
	}
	if after := int(d.App.SleepAfter.Seconds()); after > 0 {
		shown.After = &after
	}
	if shown.Asleep {
		shown.Since = wire.StampOrNull(d.AsleepSince)
	}
	return shown
}

func (s *Server) sleepInfo(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	return s.replySleep(w, r, a)
}

func (s *Server) replySleep(w http.ResponseWriter, r *http.Request, a renga.App) error {
	d, err := s.parts.Sleeps.Desired(r.Context(), a.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	return wire.Answer(w, http.StatusOK, newSleep(d, s.parts.Sleeps.LastRequest(a.ID)))
}

// sleepAfter reads the field after: null is 0, which means never.
func sleepAfter(field json.RawMessage) (time.Duration, error) {
	var seconds int32
	if !bytes.Equal(field, []byte("null")) && json.Unmarshal(field, &seconds) != nil {
		return 0, wire.Invalid("Field \"after\" must be a whole number of seconds, or null.")
	}
	after := time.Duration(seconds) * time.Second
	return after, renga.ValidateSleepAfter(after)
}

// updateSleep sets the time after which an app falls asleep. An app that sleeps
// goes on sleeping, unless it is never to sleep.
func (s *Server) updateSleep(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var body struct {
		After json.RawMessage `json:"after"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if body.After == nil {
		return s.replySleep(w, r, a)
	}
	after, err := sleepAfter(body.After)
	if err != nil {
		return err
	}
	a, err = s.parts.Apps.UpdateApp(r.Context(), a.ID, func(a *renga.App) error {
		a.SleepAfter = after
		return nil
	})
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Reconciler.Reconcile(a.ID)
	s.Audit(r, "sleep set", a.Name, "after", after.String())
	return s.replySleep(w, r, a)
}
