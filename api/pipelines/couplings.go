package pipelines

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

func (s *Server) couplingRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/pipeline-couplings", wire.Reading, s.listCouplings),
		wire.Post("/pipeline-couplings", wire.Writing, s.createCoupling),
		wire.Get("/pipeline-couplings/{coupling}", wire.Reading, s.couplingInfo),
		wire.Patch("/pipeline-couplings/{coupling}", wire.Writing, s.updateCoupling),
		wire.Delete("/pipeline-couplings/{coupling}", wire.Writing, s.deleteCoupling),
		wire.Get("/pipelines/{pipeline}/pipeline-couplings", wire.Reading, s.listCouplingsOfPipeline),
		wire.Get("/users/~/pipeline-couplings", wire.Reading, s.listCouplings),
		wire.Get("/apps/{app}/pipeline-couplings", wire.Looking, s.couplingOfApp),
	}
}

// coupling is a coupling as JSON. The pipeline's name is not in Heroku's schema;
// the official CLI reads it.
type coupling struct {
	App       wire.OnlyID `json:"app"`
	CreatedAt string      `json:"created_at"`
	ID        string      `json:"id"`
	Pipeline  wire.Ref    `json:"pipeline"`
	Stage     string      `json:"stage"`
	UpdatedAt string      `json:"updated_at"`
}

func newCoupling(p renga.Pipeline, c renga.Coupling) coupling {
	return coupling{
		App: wire.OnlyID{ID: string(c.App)}, CreatedAt: wire.Stamp(c.CreatedAt), ID: c.ID,
		Pipeline: wire.Ref{ID: string(p.ID), Name: p.Name},
		Stage:    string(c.Stage), UpdatedAt: wire.Stamp(c.UpdatedAt),
	}
}

func replyCouplings(w http.ResponseWriter, r *http.Request, pipelines ...renga.Pipeline) error {
	var shown []coupling
	for _, p := range pipelines {
		for _, c := range p.Couplings {
			shown = append(shown, newCoupling(p, c))
		}
	}
	return wire.List(w, r, shown, wire.By("id", func(c coupling) string { return c.ID }))
}

func (s *Server) listCouplings(w http.ResponseWriter, r *http.Request) error {
	see, err := s.visibleTo(r)
	if err != nil {
		return err
	}
	return replyCouplings(w, r, see.pipelines...)
}

func (s *Server) listCouplingsOfPipeline(w http.ResponseWriter, r *http.Request) error {
	p, _, err := s.pipelineOf(r)
	if err != nil {
		return err
	}
	return replyCouplings(w, r, p)
}

// couplingOf finds the coupling of the path, with its pipeline.
func (s *Server) couplingOf(r *http.Request) (renga.Pipeline, renga.Coupling, error) {
	see, err := s.visibleTo(r)
	if err != nil {
		return renga.Pipeline{}, renga.Coupling{}, err
	}
	id := mux.Vars(r)["coupling"]
	return see.coupling(func(c renga.Coupling) bool { return strings.EqualFold(c.ID, id) })
}

func (s *Server) couplingInfo(w http.ResponseWriter, r *http.Request) error {
	p, c, err := s.couplingOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newCoupling(p, c))
}

// couplingOfApp answers with one object, because an app is in one pipeline at most.
func (s *Server) couplingOfApp(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	see, err := s.visibleTo(r)
	if err != nil {
		return err
	}
	p, c, err := see.coupling(func(c renga.Coupling) bool { return c.App == a.ID })
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newCoupling(p, c))
}

func (s *Server) createCoupling(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		App      string      `json:"app"`
		Pipeline string      `json:"pipeline"`
		Stage    renga.Stage `json:"stage"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if err := knownStage(body.Stage); err != nil {
		return err
	}
	a, err := s.appToOperate(r, body.App)
	if err != nil {
		return err
	}
	see, err := s.visibleTo(r)
	if err != nil {
		return err
	}
	p, err := see.pipeline(body.Pipeline, wire.Caller(r).ID)
	if err != nil {
		return err
	}
	others, err := s.coupled(r.Context(), see, p)
	if err != nil {
		return err
	}
	if err := renga.MayJoin(p, others, a, wire.Caller(r).ID); err != nil {
		return err
	}
	c := renga.Coupling{ID: uuid.NewString(), App: a.ID, Stage: body.Stage, CreatedAt: s.Now(), UpdatedAt: s.Now()}
	if _, err := s.editPipeline(r, p, func(p *renga.Pipeline) error {
		p.Couplings = append(p.Couplings, c)
		return nil
	}); err != nil {
		return err
	}
	s.Audit(r, "app added to pipeline", a.Name, "pipeline", p.Name, "stage", string(c.Stage))
	return wire.Answer(w, http.StatusCreated, newCoupling(p, c))
}

// coupled gives all apps of a pipeline, also those that the caller may not see.
func (s *Server) coupled(ctx context.Context, see visible, p renga.Pipeline) ([]renga.App, error) {
	return s.Apps.SomeApps(ctx, see.coupled[p.ID])
}

func knownStage(stage renga.Stage) error {
	if slices.Contains(renga.Stages, stage) {
		return nil
	}
	return wire.Invalid("Stage %q is none of test, review, development, staging, production.", wire.Clip(string(stage)))
}

func (s *Server) updateCoupling(w http.ResponseWriter, r *http.Request) error {
	p, c, err := s.couplingToChange(r)
	if err != nil {
		return err
	}
	body := struct {
		Stage renga.Stage `json:"stage"`
	}{c.Stage}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if err := knownStage(body.Stage); err != nil {
		return err
	}
	c.Stage, c.UpdatedAt = body.Stage, s.Now()
	if _, err := s.editCoupling(r, p, c.ID, func(old *renga.Coupling) { *old = c }); err != nil {
		return err
	}
	s.Audit(r, "app moved in pipeline", "", "pipeline", p.Name, "app_id", c.App, "stage", string(c.Stage))
	return wire.Answer(w, http.StatusOK, newCoupling(p, c))
}

// couplingToChange finds the coupling of the path, if the caller owns its pipeline
// or may operate its app.
func (s *Server) couplingToChange(r *http.Request) (renga.Pipeline, renga.Coupling, error) {
	p, c, err := s.couplingOf(r)
	if err == nil && p.Owner != wire.Caller(r).ID {
		_, err = s.appToOperate(r, string(c.App))
	}
	return p, c, err
}

// editCoupling changes one coupling; an edit of nil removes it.
func (s *Server) editCoupling(
	r *http.Request, p renga.Pipeline, id string, edit func(*renga.Coupling),
) (renga.Pipeline, error) {
	return s.editPipeline(r, p, func(p *renga.Pipeline) error {
		i := slices.IndexFunc(p.Couplings, func(c renga.Coupling) bool { return c.ID == id })
		if i < 0 {
			return wire.NotFound("pipeline coupling")
		}
		if edit == nil {
			p.Couplings = slices.Delete(p.Couplings, i, i+1)
			return nil
		}
		edit(&p.Couplings[i])
		return nil
	})
}

func (s *Server) deleteCoupling(w http.ResponseWriter, r *http.Request) error {
	p, c, err := s.couplingToChange(r)
	if err != nil {
		return err
	}
	if _, err := s.editCoupling(r, p, c.ID, nil); err != nil {
		return err
	}
	s.Audit(r, "app taken out of pipeline", "", "pipeline", p.Name, "app_id", c.App)
	return wire.Answer(w, http.StatusOK, newCoupling(p, c))
}
