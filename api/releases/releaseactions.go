package releases

import (
	"context"
	"net/http"

	"renga"
	"renga/api/wire"
)

// Rollouts ends what goes on before a release takes over.
type Rollouts interface {
	// CancelRelease makes a pending release fail for the reason; Conflict when it
	// is not pending.
	CancelRelease(ctx context.Context, app renga.AppID, version int, reason string) error
	// EndCanary ends the time of a canary, so that it takes over now; Conflict when
	// the release is no canary.
	EndCanary(ctx context.Context, app renga.AppID, version int) error
}

func (s *Server) releaseActionRoutes() []wire.Route {
	return []wire.Route{
		wire.Post("/apps/{app}/releases/{release}/actions/cancel", wire.Deploying, s.cancelRelease),
		wire.Post("/apps/{app}/releases/{release}/actions/complete", wire.Deploying, s.completeRelease),
	}
}

// cancelRelease makes a pending release fail. The dyno manager stops its dynos
// afterwards.
func (s *Server) cancelRelease(w http.ResponseWriter, r *http.Request) error {
	return s.actOnRelease(w, r, "canceled", func(ctx context.Context, app renga.AppID, version int) error {
		return s.parts.Rollouts.CancelRelease(ctx, app, version, "Canceled by "+wire.Caller(r).Email)
	})
}

// completeRelease ends the time of a canary, so that it takes over now.
func (s *Server) completeRelease(w http.ResponseWriter, r *http.Request) error {
	return s.actOnRelease(w, r, "completed", s.parts.Rollouts.EndCanary)
}

// actOnRelease does something with the release of the path, logs it, and answers
// with the release as it is then.
func (s *Server) actOnRelease(
	w http.ResponseWriter, r *http.Request, done string,
	act func(ctx context.Context, app renga.AppID, version int) error,
) error {
	a, version, err := s.releaseOf(r)
	if err != nil {
		return err
	}
	if err := act(r.Context(), a.ID, version); err != nil {
		return wire.OrNotFound(err, "release")
	}
	s.Reconciler.Reconcile(a.ID)
	name := renga.VersionName(version)
	s.Audit(r, "release "+done, a.Name, "release", name)
	s.Activity.Note(r.Context(), a.ID, wire.Caller(r).ID, "Release "+name+" "+done)
	return s.replyRelease(w, r, a, version)
}
