package api

import (
	"net/http"
	"time"

	"renga"
)

func (s *Server) canaryRoutes() []Route {
	return []Route{
		Get("/apps/{app}/canary", Looking, s.canaryInfo),
		Patch("/apps/{app}/canary", Deploying, s.updateCanary),
		Delete("/apps/{app}/canary", Deploying, s.deleteCanary),
	}
}

// canary is how a release takes over, on the wire. Until is null as long as it
// has not begun.
type canary struct {
	Percent int     `json:"percent"`
	Seconds int     `json:"seconds"`
	Until   *string `json:"until"`
}

// newCanary is null for a release that takes over at once.
func newCanary(rec renga.ReleaseRecord) *canary {
	if !rec.Canary.On() {
		return nil
	}
	shown := &canary{Percent: rec.Canary.Percent, Seconds: int(rec.Canary.For.Seconds())}
	if at := rec.Outcome.CanaryUntil; !at.IsZero() {
		until := stamp(at)
		shown.Until = &until
	}
	return shown
}

// canaryAsked is a canary in a body; what is left out stays as it is.
type canaryAsked struct {
	Percent *int `json:"percent"`
	Seconds *int `json:"seconds"`
}

// of is the canary that is asked for where there is another.
func (u canaryAsked) of(c renga.Canary) (renga.Canary, error) {
	if !c.On() {
		c = renga.DefaultCanary()
	}
	if u.Percent != nil {
		c.Percent = *u.Percent
	}
	if u.Seconds != nil {
		c.For = time.Duration(*u.Seconds) * time.Second
	}
	return c, c.Validate()
}

// canaryOf is the canary that a body asks for; none for nil.
func canaryOf(a renga.App, asked *canaryAsked) (renga.Canary, error) {
	if asked == nil {
		return renga.Canary{}, nil
	}
	if err := withPreboot(a); err != nil {
		return renga.Canary{}, err
	}
	return asked.of(renga.Canary{})
}

// withPreboot refuses canaries of an app whose old dynos end before the new ones
// begin.
func withPreboot(a renga.App) error {
	if !a.FeatureOn(renga.Preboot) {
		return invalid("A canary runs beside the release that serves, which takes the feature preboot; switch it on first.")
	}
	return nil
}

// appCanary is an app's own canary on the wire. Percent is null when there is
// none.
type appCanary struct {
	App       ref    `json:"app"`
	Percent   *int   `json:"percent"`
	Seconds   int    `json:"seconds"`
	UpdatedAt string `json:"updated_at"`
}

func newAppCanary(a renga.App) appCanary {
	c, percent := a.Canary, &a.Canary.Percent
	if !c.On() {
		c, percent = renga.DefaultCanary(), nil
	}
	return appCanary{App: appRef(a), Percent: percent, Seconds: int(c.For.Seconds()), UpdatedAt: stamp(a.UpdatedAt)}
}

func (s *Server) canaryInfo(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, newAppCanary(a))
}

// updateCanary holds for releases that are made from now on.
func (s *Server) updateCanary(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var asked canaryAsked
	if err := decode(r, &asked); err != nil {
		return err
	}
	if err := withPreboot(a); err != nil {
		return err
	}
	if a, err = s.setCanary(r, a, asked.of); err != nil {
		return err
	}
	return answer(w, http.StatusOK, newAppCanary(a))
}

func (s *Server) deleteCanary(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	before := newAppCanary(a)
	if _, err := s.setCanary(r, a, func(renga.Canary) (renga.Canary, error) { return renga.Canary{}, nil }); err != nil {
		return err
	}
	return answer(w, http.StatusOK, before)
}

func (s *Server) setCanary(r *http.Request, a renga.App, change func(renga.Canary) (renga.Canary, error)) (renga.App, error) {
	a, err := s.parts.Apps.UpdateApp(r.Context(), a.ID, func(a *renga.App) (err error) {
		a.Canary, err = change(a.Canary)
		return err
	})
	if err != nil {
		return renga.App{}, orNotFound(err, "app")
	}
	s.Audit(r, "canary set", a.Name, "percent", a.Canary.Percent, "time", a.Canary.For)
	return a, nil
}
