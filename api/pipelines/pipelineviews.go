package pipelines

import (
	"context"
	"maps"
	"net/http"

	"renga"
	"renga/api/wire"
)

func (s *Server) pipelineViewRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/pipelines/{pipeline}/latest-releases", wire.Reading, s.latestOf(s.NewestOf)),
		wire.Get("/pipelines/{pipeline}/latest-deployments", wire.Reading, s.latestOf(s.newestDeployment)),
		wire.Get("/pipelines/{pipeline}/pipeline-stack", wire.Reading, s.pipelineStack),
	}
}

// latestOf lists one release for each app of a pipeline, the one that find gives,
// if any.
func (s *Server) latestOf(find func(context.Context, renga.AppID) (*renga.ReleaseRecord, error)) wire.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, see, err := s.pipelineOf(r)
		if err != nil {
			return err
		}
		var latest []renga.ReleaseRecord
		for _, c := range p.Couplings {
			rec, err := find(r.Context(), c.App)
			if err != nil {
				return err
			}
			if rec != nil {
				latest = append(latest, *rec)
			}
		}
		show := func(page []renga.ReleaseRecord) ([]any, error) { return s.showLatest(r.Context(), see, page) }
		return wire.ListAs(w, r, latest, show,
			wire.By("id", func(rec renga.ReleaseRecord) string { return wire.ReleaseID(rec.App, rec.Version) }))
	}
}

func (s *Server) showLatest(ctx context.Context, see visible, page []renga.ReleaseRecord) ([]any, error) {
	known := s.People()
	var shown []any
	for _, rec := range page {
		one, err := s.parts.ShowRelease(ctx, see.apps[rec.App], rec, known)
		if err != nil {
			return nil, err
		}
		shown = append(shown, one)
	}
	return shown, nil
}

// newestDeployment gives the release that brought the images of the newest release;
// nil if that has no images.
func (s *Server) newestDeployment(ctx context.Context, app renga.AppID) (*renga.ReleaseRecord, error) {
	records, err := s.parts.History.Releases(
		ctx, app, renga.ReleaseQuery{Descending: true, Max: wire.MaxPage},
	)
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

// ignoreGone is nil for the error of an app that was deleted meanwhile.
func ignoreGone(err error) error {
	if renga.KindOf(err) == renga.NotFound {
		return nil
	}
	return err
}

// pipelineStack answers with the only stack.
func (s *Server) pipelineStack(w http.ResponseWriter, r *http.Request) error {
	if _, _, err := s.pipelineOf(r); err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, struct {
		Stack wire.Ref `json:"stack"`
	}{wire.StackRef()})
}
