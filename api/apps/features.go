package apps

import (
	"net/http"
	"strings"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

func (s *Server) featureRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/features", wire.Looking, s.listFeatures),
		wire.Get("/apps/{app}/features/{feature}", wire.Looking, s.featureInfo),
		wire.Patch("/apps/{app}/features/{feature}", wire.Operating, s.updateFeature),
	}
}

// feature is a feature of an app as JSON.
type feature struct {
	CreatedAt     string `json:"created_at"`
	Description   string `json:"description"`
	DisplayName   string `json:"display_name"`
	DocURL        string `json:"doc_url"`
	Enabled       bool   `json:"enabled"`
	FeedbackEmail string `json:"feedback_email"`
	ID            string `json:"id"`
	Name          string `json:"name"`
	State         string `json:"state"`
	UpdatedAt     string `json:"updated_at"`
}

func newFeature(a renga.App, f renga.Feature) feature {
	shown := feature{
		CreatedAt: wire.Stamp(a.CreatedAt), Description: f.Description, DisplayName: f.Name,
		Enabled: a.FeatureOn(f.Name),
		ID:      uuid.NewSHA1(uuid.NameSpaceURL, []byte("renga:feature:"+f.Name)).String(),
		Name:    f.Name, State: "general", UpdatedAt: wire.Stamp(a.UpdatedAt),
	}
	if f.Lab {
		shown.State = "beta" // `heroku labs` lists all features but general ones
	}
	return shown
}

func (s *Server) listFeatures(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var all []feature
	for _, f := range renga.Features() {
		all = append(all, newFeature(a, f))
	}
	return wire.List(w, r, all,
		wire.By("name", func(f feature) string { return f.Name }),
		wire.By("id", func(f feature) string { return f.ID }))
}

// featureOf finds the app of the path and its feature, by name or id.
func (s *Server) featureOf(r *http.Request) (renga.App, renga.Feature, error) {
	a, err := s.AppOf(r)
	if err != nil {
		return renga.App{}, renga.Feature{}, err
	}
	identity := mux.Vars(r)["feature"]
	for _, f := range renga.Features() {
		if f.Name == identity || strings.EqualFold(newFeature(a, f).ID, identity) {
			return a, f, nil
		}
	}
	return renga.App{}, renga.Feature{}, wire.NotFound("feature")
}

func (s *Server) featureInfo(w http.ResponseWriter, r *http.Request) error {
	a, f, err := s.featureOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newFeature(a, f))
}

func (s *Server) updateFeature(w http.ResponseWriter, r *http.Request) error {
	a, f, err := s.featureOf(r)
	if err != nil {
		return err
	}
	var body struct {
		Enabled *bool `json:"enabled"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if body.Enabled == nil {
		return wire.Invalid("Field \"enabled\" must be true or false.")
	}
	if a.FeatureOn(f.Name) != *body.Enabled {
		if a, err = s.switchFeature(r, a, f, *body.Enabled); err != nil {
			return err
		}
	}
	return wire.Answer(w, http.StatusOK, newFeature(a, f))
}

// switchFeature stores the setting and tells the dyno manager. Running dynos stay
// as they are.
func (s *Server) switchFeature(r *http.Request, a renga.App, f renga.Feature, on bool) (renga.App, error) {
	a, err := s.parts.Apps.UpdateApp(r.Context(), a.ID, func(a *renga.App) error {
		if a.Features == nil {
			a.Features = map[string]bool{}
		}
		a.Features[f.Name] = on
		return nil
	})
	if err != nil {
		return renga.App{}, wire.OrNotFound(err, "app")
	}
	s.Reconciler.Reconcile(a.ID)
	s.Audit(r, "feature set", a.Name, "feature", f.Name, "enabled", on)
	return a, nil
}
