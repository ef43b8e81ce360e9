package releases

import (
	"net/http"

	"renga"
	"renga/api/wire"
)

func (s *Server) canaryRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/canary", wire.Looking, s.canaryInfo),
		wire.Patch("/apps/{app}/canary", wire.Deploying, s.updateCanary),
		wire.Delete("/apps/{app}/canary", wire.Deploying, s.deleteCanary),
	}
}

// canary is the canary of a release as JSON. Until is null before its time has
// begun.
type canary struct {
	Percent int     `json:"percent"`
	Seconds int     `json:"seconds"`
	Until   *string `json:"until"`
}

// newCanary is nil for a release that takes over at once.
func newCanary(rec renga.ReleaseRecord) *canary {
	if !rec.Canary.On() {
		return nil
	}
	return &canary{
		Percent: rec.Canary.Percent, Seconds: int(rec.Canary.For.Seconds()), Until: wire.StampOrNull(rec.Outcome.CanaryUntil),
	}
}

// appCanary is an app's own canary as JSON. Percent is null if there is none.
type appCanary struct {
	App       wire.Ref `json:"app"`
	Percent   *int     `json:"percent"`
	Seconds   int      `json:"seconds"`
	UpdatedAt string   `json:"updated_at"`
}

func newAppCanary(a renga.App) appCanary {
	c, percent := a.Canary, &a.Canary.Percent
	if !c.On() {
		c, percent = renga.DefaultCanary(), nil
	}
	return appCanary{
		App: wire.AppRef(a), Percent: percent, Seconds: int(c.For.Seconds()), UpdatedAt: wire.Stamp(a.UpdatedAt),
	}
}

func (s *Server) canaryInfo(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newAppCanary(a))
}

// updateCanary sets the canary of releases to come.
func (s *Server) updateCanary(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var asked wire.CanaryAsked
	if err := wire.Decode(r, &asked); err != nil {
		return err
	}
	if err := wire.WithPreboot(a); err != nil {
		return err
	}
	if a, err = s.setCanary(r, a, asked.Of); err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newAppCanary(a))
}

func (s *Server) deleteCanary(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	before := newAppCanary(a)
	if _, err := s.setCanary(
		r, a, func(renga.Canary) (renga.Canary, error) { return renga.Canary{}, nil },
	); err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, before)
}

func (s *Server) setCanary(
	r *http.Request, a renga.App, change func(renga.Canary) (renga.Canary, error),
) (renga.App, error) {
	a, err := s.parts.Apps.UpdateApp(r.Context(), a.ID, func(a *renga.App) (err error) {
		a.Canary, err = change(a.Canary)
		return err
	})
	if err != nil {
		return renga.App{}, wire.OrNotFound(err, "app")
	}
	s.Audit(r, "canary set", a.Name, "percent", a.Canary.Percent, "time", a.Canary.For)
	return a, nil
}
