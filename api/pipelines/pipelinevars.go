package pipelines

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// PipelineVars keeps the config vars of the stages of pipelines.
type PipelineVars interface {
	PipelineVars(ctx context.Context, id renga.PipelineID, stage renga.Stage) (renga.Vars, error)
	SetPipelineVars(
		ctx context.Context, id renga.PipelineID, stage renga.Stage, edit func(renga.Vars) error,
	) (renga.Vars, error)
}

func (s *Server) pipelineVarRoutes() []wire.Route {
	return []wire.Route{
		wire.Get(
			"/pipelines/{pipeline}/stage/{stage}/config-vars", wire.OnToken(renga.ScopeReadProtected), s.pipelineVars,
		),
		wire.Patch(
			"/pipelines/{pipeline}/stage/{stage}/config-vars", wire.OnToken(renga.ScopeWriteProtected),
			s.updatePipelineVars,
		),
	}
}

// stageOf gives the pipeline and the stage of the path. Only the pipeline's owner
// may have their config vars.
func (s *Server) stageOf(r *http.Request) (renga.Pipeline, renga.Stage, error) {
	stage := renga.Stage(mux.Vars(r)["stage"])
	if knownStage(stage) != nil {
		return renga.Pipeline{}, "", wire.NotFound("stage")
	}
	p, err := s.ownPipeline(r)
	return p, stage, err
}

func (s *Server) pipelineVars(w http.ResponseWriter, r *http.Request) error {
	p, stage, err := s.stageOf(r)
	if err != nil {
		return err
	}
	vars, err := s.parts.PipelineVars.PipelineVars(r.Context(), p.ID, stage)
	if err != nil {
		return wire.OrNotFound(err, "pipeline")
	}
	return wire.Answer(w, http.StatusOK, wire.NewConfigVars(vars))
}

func (s *Server) updatePipelineVars(w http.ResponseWriter, r *http.Request) error {
	p, stage, err := s.stageOf(r)
	if err != nil {
		return err
	}
	changes, err := wire.DecodeChanges(r)
	if err != nil {
		return err
	}
	vars, err := s.parts.PipelineVars.SetPipelineVars(r.Context(), p.ID, stage, func(vars renga.Vars) error {
		for name, value := range changes {
			if value == nil {
				delete(vars, name)
				continue
			}
			vars[name] = *value
		}
		return renga.ValidateVars(vars)
	})
	if err != nil {
		return wire.OrNotFound(err, "pipeline")
	}
	s.Audit(r, "pipeline config vars set", "", "pipeline", p.Name, "stage", string(stage), "vars", wire.Names(changes))
	return wire.Answer(w, http.StatusOK, wire.NewConfigVars(vars))
}
