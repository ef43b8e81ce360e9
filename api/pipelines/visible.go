package pipelines

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// visible is what a caller may see of the pipelines: their own pipelines, and
// others with an app that they may see; in those only such apps.
type visible struct {
	apps      map[renga.AppID]renga.App
	pipelines []renga.Pipeline
	// coupled are all apps of each pipeline, also those that the caller may not
	// see.
	coupled map[renga.PipelineID][]renga.AppID
}

func (s *Server) visibleTo(r *http.Request) (visible, error) {
	apps, err := s.visibleApps(r)
	if err != nil {
		return visible{}, err
	}
	all, err := s.parts.Pipelines.Pipelines(r.Context(), wire.Caller(r).ID, slices.Collect(maps.Keys(apps)))
	if err != nil {
		return visible{}, err
	}
	see := visible{apps: apps, coupled: map[renga.PipelineID][]renga.AppID{}}
	for _, p := range all {
		for _, c := range p.Couplings {
			see.coupled[p.ID] = append(see.coupled[p.ID], c.App)
		}
		p.Couplings = slices.DeleteFunc(p.Couplings, func(c renga.Coupling) bool { return apps[c.App].ID == "" })
		if p.Owner == wire.Caller(r).ID || len(p.Couplings) > 0 {
			see.pipelines = append(see.pipelines, p)
		}
	}
	return see, nil
}

// visibleApps gives the apps that the caller may see, by id.
func (s *Server) visibleApps(r *http.Request) (map[renga.AppID]renga.App, error) {
	ids, err := s.Apps.AppIDs(r.Context())
	if err != nil {
		return nil, err
	}
	seen, err := s.SeenOf(r, ids)
	if err != nil {
		return nil, err
	}
	apps := make(map[renga.AppID]renga.App, len(seen))
	for _, a := range seen {
		apps[a.ID] = a
	}
	return apps, nil
}

// pipeline finds a pipeline by its id or name. It prefers the caller's own, because
// others may have the same name.
func (see visible) pipeline(identity string, me renga.AccountID) (renga.Pipeline, error) {
	named := slices.DeleteFunc(slices.Clone(see.pipelines), func(p renga.Pipeline) bool {
		return p.Name != identity && !strings.EqualFold(string(p.ID), identity)
	})
	for _, p := range named {
		if p.Owner == me {
			return p, nil
		}
	}
	if len(named) == 0 {
		return renga.Pipeline{}, wire.NotFound("pipeline")
	}
	return named[0], nil
}

// coupling finds the first coupling for which fits is true, with its pipeline.
func (see visible) coupling(fits func(renga.Coupling) bool) (renga.Pipeline, renga.Coupling, error) {
	for _, p := range see.pipelines {
		if i := slices.IndexFunc(p.Couplings, fits); i >= 0 {
			return p, p.Couplings[i], nil
		}
	}
	return renga.Pipeline{}, renga.Coupling{}, wire.NotFound("pipeline coupling")
}

// pipelineOf finds the pipeline of the path.
func (s *Server) pipelineOf(r *http.Request) (renga.Pipeline, visible, error) {
	see, err := s.visibleTo(r)
	if err != nil {
		return renga.Pipeline{}, see, err
	}
	p, err := see.pipeline(mux.Vars(r)["pipeline"], wire.Caller(r).ID)
	return p, see, err
}

// ownPipeline finds the pipeline of the path, which must be the caller's.
func (s *Server) ownPipeline(r *http.Request) (renga.Pipeline, error) {
	p, _, err := s.ownPipelineNamed(r, mux.Vars(r)["pipeline"])
	return p, err
}

func (s *Server) ownPipelineNamed(r *http.Request, identity string) (renga.Pipeline, visible, error) {
	see, err := s.visibleTo(r)
	if err != nil {
		return renga.Pipeline{}, see, err
	}
	p, err := see.pipeline(identity, wire.Caller(r).ID)
	if err == nil && p.Owner != wire.Caller(r).ID {
		err = renga.Errorf(renga.Forbidden, "Only the owner of the pipeline %s may do that.", p.Name)
	}
	return p, see, err
}

// appToOperate and appToDeploy find the app that a body names, if the caller has
// that permission.
func (s *Server) appToOperate(r *http.Request, identity string) (renga.App, error) {
	return s.AppNamed(r, identity, renga.MayOperate)
}

func (s *Server) appToDeploy(r *http.Request, identity string) (renga.App, error) {
	return s.AppNamed(r, identity, renga.MayDeploy)
}
