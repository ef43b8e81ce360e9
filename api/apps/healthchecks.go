package apps

import (
	"net/http"
	"time"

	"renga"
	"renga/api/wire"
)

func (s *Server) healthCheckRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/health-check", wire.Looking, s.healthCheckInfo),
		wire.Patch("/apps/{app}/health-check", wire.Operating, s.updateHealthCheck),
		wire.Delete("/apps/{app}/health-check", wire.Operating, s.deleteHealthCheck),
	}
}

// healthCheck is an app's health check as JSON. Times are in seconds. Path is null
// if there is no check.
type healthCheck struct {
	App       wire.Ref `json:"app"`
	Interval  int      `json:"interval"`
	Path      *string  `json:"path"`
	Threshold int      `json:"threshold"`
	Timeout   int      `json:"timeout"`
	UpdatedAt string   `json:"updated_at"`
}

func newHealthCheck(a renga.App) healthCheck {
	c, path := a.HealthCheck, &a.HealthCheck.Path
	if !c.On() {
		c, path = renga.DefaultHealthCheck(), nil
	}
	return healthCheck{
		App: wire.AppRef(a), Path: path, Threshold: c.Threshold,
		Interval: int(c.Interval.Seconds()), Timeout: int(c.Timeout.Seconds()), UpdatedAt: wire.Stamp(a.UpdatedAt),
	}
}

func (s *Server) healthCheckInfo(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newHealthCheck(a))
}

// healthCheckUpdate is a change of a check. A field that is left out does not
// change.
type healthCheckUpdate struct {
	Path      *string `json:"path"`
	Interval  *int    `json:"interval"`
	Timeout   *int    `json:"timeout"`
	Threshold *int    `json:"threshold"`
}

// of gives a check with the change applied.
func (u healthCheckUpdate) of(c renga.HealthCheck) (renga.HealthCheck, error) {
	if !c.On() {
		c = renga.DefaultHealthCheck()
	}
	if u.Path != nil {
		c.Path = *u.Path
	}
	if u.Interval != nil {
		c.Interval = time.Duration(*u.Interval) * time.Second
	}
	if u.Timeout != nil {
		c.Timeout = time.Duration(*u.Timeout) * time.Second
	}
	if u.Threshold != nil {
		c.Threshold = *u.Threshold
	}
	return c, c.Validate()
}

func (s *Server) updateHealthCheck(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var body healthCheckUpdate
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if a, err = s.setHealthCheck(r, a, body.of); err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newHealthCheck(a))
}

func (s *Server) deleteHealthCheck(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	before := newHealthCheck(a)
	if _, err := s.setHealthCheck(
		r, a, func(renga.HealthCheck) (renga.HealthCheck, error) { return renga.HealthCheck{}, nil },
	); err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, before)
}

// setHealthCheck stores the check and tells the dyno manager. Web dynos are checked
// in the new way, and are not restarted for it.
func (s *Server) setHealthCheck(
	r *http.Request, a renga.App, change func(renga.HealthCheck) (renga.HealthCheck, error),
) (renga.App, error) {
	a, err := s.parts.Apps.UpdateApp(r.Context(), a.ID, func(a *renga.App) (err error) {
		a.HealthCheck, err = change(a.HealthCheck)
		return err
	})
	if err != nil {
		return renga.App{}, wire.OrNotFound(err, "app")
	}
	s.Reconciler.Reconcile(a.ID)
	s.Audit(r, "health check set", a.Name, "path", a.HealthCheck.Path)
	return a, nil
}
