package apps

import (
	"maps"
	"net/http"

	"renga"
	"renga/api/wire"
)

func (s *Server) registryRoutes() []wire.Route {
	// What is opened to everybody outlasts the token, as a collaborator does.
	managing := wire.OnApp(renga.ScopeGlobal, renga.MayManage)
	return []wire.Route{
		// Not Heroku's: see docs/beyond-heroku.md.
		wire.Get("/apps/{app}/registry", wire.Looking, s.registryInfo),
		wire.Patch("/apps/{app}/registry", managing, s.updateRegistry),
	}
}

// registryRules are what the registry goes by with an app's images, as JSON.
type registryRules struct {
	AnonymousPull bool       `json:"anonymous_pull"`
	App           wire.Ref   `json:"app"`
	ImmutableTags []string   `json:"immutable_tags"`
	Provenance    provenance `json:"provenance"`
	UpdatedAt     string     `json:"updated_at"`
}

// provenance is what an app asks of images before they become releases, as JSON.
type provenance struct {
	Keys         []string          `json:"keys"` // public ones, in PEM
	Labels       map[string]string `json:"labels"`
	Repositories []string          `json:"repositories"`
}

// none makes what JSON shows of a list that is empty.
func none(all []string) []string { return append([]string{}, all...) }

func newRegistryRules(a renga.App) registryRules {
	asked := a.Registry.Provenance
	shown := provenance{Keys: none(asked.Keys), Labels: map[string]string{}, Repositories: none(asked.Repositories)}
	maps.Copy(shown.Labels, asked.Labels)
	return registryRules{
		AnonymousPull: a.Registry.AnonymousPull, App: wire.AppRef(a), ImmutableTags: none(a.Registry.ImmutableTags),
		Provenance: shown, UpdatedAt: wire.Stamp(a.UpdatedAt),
	}
}

func (s *Server) registryInfo(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newRegistryRules(a))
}

// updateRegistry sets those rules that the body has.
func (s *Server) updateRegistry(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var asked struct {
		AnonymousPull *bool       `json:"anonymous_pull"`
		ImmutableTags *[]string   `json:"immutable_tags"`
		Provenance    *provenance `json:"provenance"`
	}
	if err := wire.Decode(r, &asked); err != nil {
		return err
	}
	a, err = s.parts.Apps.UpdateApp(r.Context(), a.ID, func(a *renga.App) error {
		if asked.AnonymousPull != nil {
			a.Registry.AnonymousPull = *asked.AnonymousPull
		}
		if asked.ImmutableTags != nil {
			a.Registry.ImmutableTags = *asked.ImmutableTags
		}
		if p := asked.Provenance; p != nil {
			a.Registry.Provenance = renga.Provenance{Keys: p.Keys, Labels: p.Labels, Repositories: p.Repositories}
		}
		return a.Registry.Validate()
	})
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Audit(r, "registry rules set", a.Name, "anonymous_pull", a.Registry.AnonymousPull,
		"immutable_tags", a.Registry.ImmutableTags, "keys", len(a.Registry.Provenance.Keys),
		"labels", len(a.Registry.Provenance.Labels))
	return wire.Answer(w, http.StatusOK, newRegistryRules(a))
}
