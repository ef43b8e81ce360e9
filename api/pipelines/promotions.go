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

// Promotions promotes releases from app to app.
type Promotions interface {
	// Promotable gives the release of an app that a promotion takes; Invalid, with
	// the reason, if there is none.
	Promotable(ctx context.Context, app renga.AppID) (renga.ReleaseRecord, error)
	// Promote records a promotion. Its releases are made afterwards.
	Promote(ctx context.Context, p renga.Promotion) error
	Promotion(ctx context.Context, id string) (renga.Promotion, error)
}

func (s *Server) promotionRoutes() []wire.Route {
	return []wire.Route{
		wire.Post("/pipeline-promotions", wire.Writing, s.createPromotion),
		wire.Get("/pipeline-promotions/{promotion}", wire.Reading, s.promotionInfo),
		wire.Get("/pipeline-promotions/{promotion}/promotion-targets", wire.Reading, s.listPromotionTargets),
	}
}

// promotion is a promotion as JSON.
type promotion struct {
	CreatedAt string          `json:"created_at"`
	ID        string          `json:"id"`
	Pipeline  wire.OnlyID     `json:"pipeline"`
	Source    promotionSource `json:"source"`
	Status    string          `json:"status"`
	UpdatedAt string          `json:"updated_at"`
}

type promotionSource struct {
	App     wire.OnlyID `json:"app"`
	Release wire.OnlyID `json:"release"`
}

// promotionTarget is one target of a promotion and its outcome, as JSON.
type promotionTarget struct {
	App               wire.OnlyID  `json:"app"`
	ErrorMessage      *string      `json:"error_message"`
	ID                string       `json:"id"`
	PipelinePromotion wire.OnlyID  `json:"pipeline_promotion"`
	Release           *wire.OnlyID `json:"release"`
	Status            string       `json:"status"`
}

const (
	promotionPending   = "pending"
	promotionCompleted = "completed"
)

// newPromotion makes JSON of a promotion, which is completed once all of its
// targets are.
func newPromotion(p renga.Promotion, targets []promotionTarget) promotion {
	shown := promotion{
		CreatedAt: wire.Stamp(p.CreatedAt), ID: p.ID, Pipeline: wire.OnlyID{
			ID: string(p.Pipeline),
		}, Status: promotionCompleted,
		Source: promotionSource{
			App: wire.OnlyID{ID: string(p.Source)}, Release: wire.OnlyID{ID: wire.ReleaseID(p.Source, p.Release)},
		},
		UpdatedAt: wire.Stamp(p.UpdatedAt),
	}
	for _, t := range targets {
		if t.Status == promotionPending {
			shown.Status = promotionPending
		}
	}
	return shown
}

// newPromotionTarget makes JSON of a target. Once its release is made, the target
// has the status of the release.
func newPromotionTarget(p renga.Promotion, t renga.PromotionTarget, made renga.Outcome) promotionTarget {
	shown := promotionTarget{
		App: wire.OnlyID{ID: string(t.App)}, ID: t.ID, PipelinePromotion: wire.OnlyID{ID: p.ID},
		Status: promotionPending,
	}
	failure := t.Failure
	if t.Release > 0 {
		shown.Release = &wire.OnlyID{ID: wire.ReleaseID(t.App, t.Release)}
		shown.Status = wire.ReleaseStatus(made.Status)
		if made.Status == renga.Failed {
			failure = made.Reason
		}
	}
	if failure != "" {
		shown.ErrorMessage, shown.Status = &failure, string(renga.Failed)
	}
	return shown
}

func (s *Server) showTargets(ctx context.Context, p renga.Promotion) ([]promotionTarget, error) {
	var shown []promotionTarget
	for _, t := range p.Targets {
		var made renga.ReleaseRecord
		if t.Release > 0 {
			var err error
			made, err = s.parts.History.Release(ctx, t.App, t.Release)
			if renga.KindOf(err) == renga.NotFound {
				made.Outcome = renga.Outcome{Status: renga.Failed, Reason: "The app or its release is gone."}
			} else if err != nil {
				return nil, err
			}
		}
		shown = append(shown, newPromotionTarget(p, t, made.Outcome))
	}
	return shown, nil
}

func (s *Server) replyPromotion(w http.ResponseWriter, r *http.Request, status int, p renga.Promotion) error {
	targets, err := s.showTargets(r.Context(), p)
	if err != nil {
		return err
	}
	return wire.Answer(w, status, newPromotion(p, targets))
}

// createPromotion answers once the promotion is recorded. Its releases are made
// afterwards.
func (s *Server) createPromotion(w http.ResponseWriter, r *http.Request) error {
	p, err := s.promotionAsked(r)
	if err != nil {
		return err
	}
	live, err := s.parts.Promotions.Promotable(r.Context(), p.Source)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	if p.Release != 0 && p.Release != live.Version {
		return wire.Invalid(
			"Only the release that serves can be promoted, which is %s, not %s: roll the source back to it first.",
			renga.VersionName(live.Version), renga.VersionName(p.Release),
		)
	}
	p.ID, p.By, p.Release, p.CreatedAt, p.UpdatedAt = uuid.NewString(), wire.Caller(r).ID, live.Version, s.Now(), s.Now()
	if err := s.parts.Promotions.Promote(r.Context(), p); err != nil {
		return err
	}
	for _, t := range p.Targets {
		s.Audit(
			r, "promoted", "", "promotion", p.ID, "source", p.Source, "release", renga.VersionName(p.Release),
			"target", t.App,
		)
	}
	return s.replyPromotion(w, r, http.StatusCreated, p)
}

// promotionAsked reads a promotion from the body. It requires that all apps are in
// the pipeline, and that the caller may see the source and deploy to the targets.
func (s *Server) promotionAsked(r *http.Request) (renga.Promotion, error) {
	type app struct {
		App wire.OnlyID `json:"app"`
	}
	var body struct {
		Pipeline wire.OnlyID `json:"pipeline"`
		Source   struct {
			App     wire.OnlyID `json:"app"`
			Release wire.OnlyID `json:"release"`
		} `json:"source"`
		Targets []app `json:"targets"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return renga.Promotion{}, err
	}
	see, err := s.visibleTo(r)
	if err != nil {
		return renga.Promotion{}, err
	}
	p, err := see.pipeline(body.Pipeline.ID, wire.Caller(r).ID)
	if err != nil {
		return renga.Promotion{}, err
	}
	asked := renga.Promotion{Pipeline: p.ID, Source: renga.AppID(strings.ToLower(body.Source.App.ID))}
	if _, ok := p.Coupling(asked.Source); !ok {
		return asked, wire.Invalid("The source must be an app of the pipeline %s, by its id.", p.Name)
	}
	if id := body.Source.Release.ID; id != "" {
		if asked.Release, err = s.parts.VersionOf(r.Context(), asked.Source, id); err != nil {
			return asked, wire.Invalid("The source has no release %s.", wire.Clip(id))
		}
	}
	if len(body.Targets) == 0 {
		return asked, wire.Invalid("Name at least one target.")
	}
	for _, t := range body.Targets {
		id := renga.AppID(strings.ToLower(t.App.ID))
		if _, ok := p.Coupling(id); !ok || id == asked.Source {
			return asked, wire.Invalid("Targets must be other apps of the pipeline %s, by their ids.", p.Name)
		}
		to, err := s.appToDeploy(r, t.App.ID)
		if err != nil {
			return asked, err
		}
		if err := renga.MayPromote(see.apps[asked.Source], to, wire.Caller(r).ID); err != nil {
			return asked, err
		}
		if !slices.ContainsFunc(asked.Targets, func(t renga.PromotionTarget) bool { return t.App == id }) {
			asked.Targets = append(asked.Targets, renga.PromotionTarget{ID: uuid.NewString(), App: id})
		}
	}
	return asked, nil
}

// promotionOf finds the promotion of the path, if the caller may see its pipeline.
func (s *Server) promotionOf(r *http.Request) (renga.Promotion, error) {
	p, err := s.parts.Promotions.Promotion(r.Context(), strings.ToLower(mux.Vars(r)["promotion"]))
	if err != nil {
		return p, wire.OrNotFound(err, "pipeline promotion")
	}
	see, err := s.visibleTo(r)
	if err != nil {
		return p, err
	}
	if _, err := see.pipeline(string(p.Pipeline), wire.Caller(r).ID); err != nil {
		return p, wire.NotFound("pipeline promotion")
	}
	return p, nil
}

func (s *Server) promotionInfo(w http.ResponseWriter, r *http.Request) error {
	p, err := s.promotionOf(r)
	if err != nil {
		return err
	}
	return s.replyPromotion(w, r, http.StatusOK, p)
}

func (s *Server) listPromotionTargets(w http.ResponseWriter, r *http.Request) error {
	p, err := s.promotionOf(r)
	if err != nil {
		return err
	}
	targets, err := s.showTargets(r.Context(), p)
	if err != nil {
		return err
	}
	return wire.List(w, r, targets, wire.By("id", func(t promotionTarget) string { return t.ID }))
}
