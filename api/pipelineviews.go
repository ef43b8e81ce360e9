package api

import (
	"context"
	"maps"
	"net/http"

	"renga"
)

func (s *Server) pipelineViewRoutes() []route {
	return []route{
		{"GET", "/pipelines/{pipeline}/latest-releases", s.latestOf(s.newest)},
		{"GET", "/pipelines/{pipeline}/latest-deployments", s.latestOf(s.newestDeployment)},
		{"GET", "/pipelines/{pipeline}/pipeline-stack", s.pipelineStack},
	}
}

// latestOf lists one release of each app in a pipeline, where find finds one.
func (s *Server) latestOf(find func(context.Context, renga.AppID) (*renga.ReleaseRecord, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, see, err := s.pipelineOf(r)
		if err != nil {
			return err
		}
		known := s.people()
		var wire []release
		for _, c := range p.Couplings {
			rec, err := find(r.Context(), c.App)
			if err != nil {
				return err
			}
			if rec == nil {
				continue
			}
			one, err := s.showRelease(r.Context(), see.apps[c.App], *rec, known)
			if err != nil {
				return err
			}
			wire = append(wire, one)
		}
		return list(w, r, wire, by("id", func(r release) string { return r.ID }))
	}
}

// newestDeployment is the release that brought the images of the newest one;
// nil when there is none with images.
func (s *Server) newestDeployment(ctx context.Context, app renga.AppID) (*renga.ReleaseRecord, error) {
	records, err := s.parts.Releases.Releases(ctx, app, renga.ReleaseQuery{Descending: true, Max: maxPage})
	if err != nil || len(records) == 0 || len(records[0].Images) == 0 {
		return nil, ignoreGone(err)
	}
	brought := &records[0]
	for i := range records {
		if !maps.EqualFunc(records[i].Images, brought.Images, renga.Image.Same) {
			break
		}
		brought = &records[i]
	}
	return brought, nil
}

// ignoreGone passes over an app that goes while we look.
func ignoreGone(err error) error {
	if renga.KindOf(err) == renga.NotFound {
		return nil
	}
	return err
}

// pipelineStack is the one stack there is.
func (s *Server) pipelineStack(w http.ResponseWriter, r *http.Request) error {
	if _, _, err := s.pipelineOf(r); err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		Stack ref `json:"stack"`
	}{stackRef()})
}
