package pipelines

import (
	"context"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"renga"
	"renga/api/wire"
)

// Pipelines keeps pipelines with their couplings.
type Pipelines interface {
	// Pipelines lists those of an account and those that have any of the apps.
	Pipelines(ctx context.Context, owner renga.AccountID, apps []renga.AppID) ([]renga.Pipeline, error)
	// CreatePipeline and UpdatePipeline are Conflict if the owner has another
	// pipeline of that name, or if an app would be in two pipelines.
	CreatePipeline(ctx context.Context, p renga.Pipeline) error
	UpdatePipeline(ctx context.Context, id renga.PipelineID, edit func(*renga.Pipeline) error) (renga.Pipeline, error)
	DeletePipeline(ctx context.Context, id renga.PipelineID) error
}

// History gives the records of releases.
type History interface {
	// Release is NotFound for a version that the app does not have.
	Release(ctx context.Context, app renga.AppID, version int) (renga.ReleaseRecord, error)
	Releases(ctx context.Context, app renga.AppID, q renga.ReleaseQuery) ([]renga.ReleaseRecord, error)
}

func (s *Server) pipelineRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/pipelines", wire.Reading, s.listPipelines),
		wire.Post("/pipelines", wire.Writing, s.createPipeline),
		wire.Get("/pipelines/{pipeline}", wire.Reading, s.pipelineInfo),
		wire.Patch("/pipelines/{pipeline}", wire.Writing, s.updatePipeline),
		wire.Delete("/pipelines/{pipeline}", wire.Writing, s.deletePipeline),
		wire.Post("/pipeline-transfers", wire.WholeToken, s.transferPipeline),
	}
}

// pipeline is a pipeline as JSON. The last field is not in Heroku's schema; the
// official CLI reads it.
type pipeline struct {
	CreatedAt string        `json:"created_at"`
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	Owner     pipelineOwner `json:"owner"`
	UpdatedAt string        `json:"updated_at"`

	Generation wire.Ref `json:"generation"`
}

// pipelineOwner is the owner of a pipeline, always an account: there are no teams.
type pipelineOwner struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

const ownerIsUser = "user"

func shownOwner(id renga.AccountID) pipelineOwner {
	return pipelineOwner{ID: string(id), Type: ownerIsUser}
}

func newPipeline(p renga.Pipeline) pipeline {
	return pipeline{
		CreatedAt: wire.Stamp(p.CreatedAt), ID: string(p.ID), Name: p.Name, Owner: shownOwner(p.Owner),
		UpdatedAt: wire.Stamp(p.UpdatedAt), Generation: wire.GenerationRef(),
	}
}

// listPipelines lists the pipelines that the caller may see. The official CLI looks
// one up by its name with the query eq[name].
func (s *Server) listPipelines(w http.ResponseWriter, r *http.Request) error {
	see, err := s.visibleTo(r)
	if err != nil {
		return err
	}
	shown := []pipeline{}
	name, named := r.URL.Query()["eq[name]"]
	for _, p := range see.pipelines {
		if !named || slices.Contains(name, p.Name) {
			shown = append(shown, newPipeline(p))
		}
	}
	return wire.List(w, r, shown, wire.By("id", func(p pipeline) string { return p.ID }))
}

func (s *Server) pipelineInfo(w http.ResponseWriter, r *http.Request) error {
	p, _, err := s.pipelineOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newPipeline(p))
}

func (s *Server) createPipeline(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Name  string         `json:"name"`
		Owner *pipelineOwner `json:"owner"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	me := wire.Caller(r)
	if body.Owner != nil && *body.Owner != shownOwner(me.ID) {
		return wire.Invalid("A pipeline belongs to the account that makes it; leave the owner out.")
	}
	if err := renga.ValidatePipelineName(body.Name); err != nil {
		return err
	}
	p := renga.Pipeline{
		ID: renga.PipelineID(uuid.NewString()), Name: body.Name, Owner: me.ID, CreatedAt: s.Now(), UpdatedAt: s.Now(),
	}
	if err := s.parts.Pipelines.CreatePipeline(r.Context(), p); err != nil {
		return err
	}
	s.Audit(r, "pipeline created", "", "pipeline", p.Name)
	return wire.Answer(w, http.StatusCreated, newPipeline(p))
}

func (s *Server) updatePipeline(w http.ResponseWriter, r *http.Request) error {
	p, err := s.ownPipeline(r)
	if err != nil {
		return err
	}
	body := struct {
		Name string `json:"name"`
	}{p.Name}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if err := renga.ValidatePipelineName(body.Name); err != nil {
		return err
	}
	after, err := s.editPipeline(r, p, func(p *renga.Pipeline) error {
		p.Name = body.Name
		return nil
	})
	if err != nil {
		return err
	}
	s.Audit(r, "pipeline renamed", "", "pipeline", p.Name, "name", body.Name)
	return wire.Answer(w, http.StatusOK, newPipeline(after))
}

// editPipeline changes a pipeline; NotFound if it was deleted meanwhile.
func (s *Server) editPipeline(
	r *http.Request, p renga.Pipeline, edit func(*renga.Pipeline) error,
) (renga.Pipeline, error) {
	after, err := s.parts.Pipelines.UpdatePipeline(r.Context(), p.ID, edit)
	return after, wire.OrNotFound(err, "pipeline")
}

func (s *Server) deletePipeline(w http.ResponseWriter, r *http.Request) error {
	p, err := s.ownPipeline(r)
	if err != nil {
		return err
	}
	if err := s.parts.Pipelines.DeletePipeline(r.Context(), p.ID); err != nil {
		return wire.OrNotFound(err, "pipeline")
	}
	s.Audit(r, "pipeline deleted", "", "pipeline", p.Name)
	return wire.Answer(w, http.StatusOK, newPipeline(p))
}

// pipelineTransfer is a change of owner as JSON.
type pipelineTransfer struct {
	Pipeline      wire.OnlyID   `json:"pipeline"`
	PreviousOwner pipelineOwner `json:"previous_owner"`
	NewOwner      pipelineOwner `json:"new_owner"`
}

// transferPipeline gives a pipeline to another account. Its apps keep their owners.
func (s *Server) transferPipeline(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Pipeline wire.OnlyID   `json:"pipeline"`
		NewOwner pipelineOwner `json:"new_owner"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	p, see, err := s.ownPipelineNamed(r, body.Pipeline.ID)
	if err != nil {
		return err
	}
	if body.NewOwner.Type != ownerIsUser {
		return wire.Invalid("A pipeline is given to an account: a new_owner of type %q.", ownerIsUser)
	}
	to, err := s.Accounts.Account(r.Context(), renga.AccountID(body.NewOwner.ID))
	if err != nil {
		return wire.OrNotFound(err, "user")
	}
	apps, err := s.coupled(r.Context(), see, p)
	if err != nil {
		return err
	}
	if err := renga.MayGetPipeline(p, apps, to); err != nil {
		return err
	}
	if _, err = s.editPipeline(r, p, func(p *renga.Pipeline) error {
		p.Owner = to.ID
		return nil
	}); err != nil {
		return err
	}
	s.Audit(r, "pipeline transferred", "", "pipeline", p.Name, "to", to.Email)
	return wire.Answer(w, http.StatusCreated, pipelineTransfer{
		Pipeline: wire.OnlyID{ID: string(p.ID)}, PreviousOwner: shownOwner(p.Owner), NewOwner: shownOwner(to.ID),
	})
}
