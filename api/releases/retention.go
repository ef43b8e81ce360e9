package releases

import (
	"net/http"
	"time"

	"renga"
	"renga/api/wire"
)

func (s *Server) retentionRoutes() []wire.Route {
	return []wire.Route{
		// Not Heroku's: see docs/beyond-heroku.md.
		wire.Get("/apps/{app}/retention", wire.Looking, s.retentionInfo),
		wire.Patch("/apps/{app}/retention", wire.Deploying, s.updateRetention),
	}
}

// retention is how many of an app's releases keep their images, as JSON: the newest
// so many, and all of the last so many days.
type retention struct {
	App       wire.Ref `json:"app"`
	Days      int      `json:"days"`
	Releases  int      `json:"releases"`
	UpdatedAt string   `json:"updated_at"`
}

const day = 24 * time.Hour

func newRetention(a renga.App) retention {
	kept := a.Retention.OrDefault()
	return retention{
		App: wire.AppRef(a), Days: int(kept.For / day), Releases: kept.Releases, UpdatedAt: wire.Stamp(a.UpdatedAt),
	}
}

func (s *Server) retentionInfo(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newRetention(a))
}

// updateRetention sets what later collections go by. What they removed does not
// come back.
func (s *Server) updateRetention(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var asked struct {
		Days     *int32 `json:"days"`
		Releases *int32 `json:"releases"`
	}
	if err := wire.Decode(r, &asked); err != nil {
		return err
	}
	a, err = s.parts.Apps.UpdateApp(r.Context(), a.ID, func(a *renga.App) error {
		kept := a.Retention.OrDefault()
		if asked.Days != nil {
			kept.For = time.Duration(*asked.Days) * day
		}
		if asked.Releases != nil {
			kept.Releases = int(*asked.Releases)
		}
		a.Retention = kept
		return kept.Validate()
	})
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Audit(r, "retention set", a.Name, "releases", a.Retention.Releases, "days", int(a.Retention.For/day))
	return wire.Answer(w, http.StatusOK, newRetention(a))
}
