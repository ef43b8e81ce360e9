package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"renga"
)

type pipelineRecord struct {
	ID        renga.PipelineID               `json:"id"`
	Name      string                         `json:"name"`
	Owner     renga.AccountID                `json:"owner"`
	Couplings map[renga.AppID]couplingRecord `json:"couplings,omitempty"`
	Vars      map[renga.Stage]string         `json:"vars,omitempty"` // sealed JSON
	CreatedAt time.Time                      `json:"created_at,omitzero"`
	UpdatedAt time.Time                      `json:"updated_at,omitzero"`
}

type couplingRecord struct {
	ID        string      `json:"id"`
	Stage     renga.Stage `json:"stage"`
	CreatedAt time.Time   `json:"created_at,omitzero"`
	UpdatedAt time.Time   `json:"updated_at,omitzero"`
}

// pipelines are all pipelines by id, each with its couplings: that an app is in
// one of them only is seen by looking at the whole collection.
var pipelines = collection{key: keyPipelines}

func errNoPipeline() error { return renga.Errorf(renga.NotFound, "Couldn't find that pipeline.") }

// Pipelines reads all pipelines with their couplings, in order of their names.
func (s *Store) Pipelines(ctx context.Context) ([]renga.Pipeline, error) {
	records, err := readCollection[pipelineRecord](ctx, s, pipelines)
	if err != nil {
		return nil, err
	}
	all := make([]renga.Pipeline, 0, len(records))
	for _, r := range records {
		all = append(all, r.pipeline())
	}
	slices.SortFunc(all, func(a, b renga.Pipeline) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// CreatePipeline adds a pipeline. A name that another one of the same owner has
// is renga.Conflict, and one more than an account may have renga.Invalid.
func (s *Store) CreatePipeline(ctx context.Context, p renga.Pipeline) error {
	return editCollection(ctx, s, pipelines, func(all map[string]pipelineRecord) error {
		return putPipeline(all, p)
	})
}

// UpdatePipeline lets edit change a pipeline, its couplings included, and gives
// back what was written. edit may be called several times, and its error is the
// answer. renga.Conflict is a name that is taken, or an app that is in another
// pipeline or twice in this one.
func (s *Store) UpdatePipeline(ctx context.Context, id renga.PipelineID,
	edit func(*renga.Pipeline) error) (renga.Pipeline, error) {
	var after renga.Pipeline
	err := editCollection(ctx, s, pipelines, func(all map[string]pipelineRecord) error {
		r, ok := all[string(id)]
		if !ok {
			return errNoPipeline()
		}
		after = r.pipeline()
		if err := edit(&after); err != nil {
			return err
		}
		if encode(newPipelineRecord(after, r.Vars)) == encode(r) {
			return nil
		}
		after.UpdatedAt = now()
		return putPipeline(all, after)
	})
	return after, err
}

// DeletePipeline removes a pipeline with its couplings; the apps stay.
func (s *Store) DeletePipeline(ctx context.Context, id renga.PipelineID) error {
	return editCollection(ctx, s, pipelines, func(all map[string]pipelineRecord) error {
		if _, ok := all[string(id)]; !ok {
			return errNoPipeline()
		}
		delete(all, string(id))
		return nil
	})
}

// maxPipelines bounds how many pipelines an account has: whoever edits one reads
// all.
const maxPipelines = 100

// mayOwn refuses an account one pipeline more than it may have.
func mayOwn(all map[string]pipelineRecord, p renga.Pipeline) error {
	owned := 0
	for id, r := range all {
		if r.Owner != p.Owner {
			continue
		}
		if owned++; id == string(p.ID) {
			return nil // it has this one already
		}
	}
	if owned >= maxPipelines {
		return renga.Errorf(renga.Invalid, "An account may have %d pipelines; delete one first.", maxPipelines)
	}
	return nil
}

// putPipeline writes a pipeline among all others, if it may stand beside them.
func putPipeline(all map[string]pipelineRecord, p renga.Pipeline) error {
	if err := mayOwn(all, p); err != nil {
		return err
	}
	r := newPipelineRecord(p, all[string(p.ID)].Vars)
	if len(r.Couplings) < len(p.Couplings) {
		return renga.Errorf(renga.Conflict, "That app is in the pipeline %s already.", p.Name)
	}
	for id, other := range all {
		if id == string(p.ID) {
			continue
		}
		if other.Owner == p.Owner && other.Name == p.Name {
			return renga.Errorf(renga.Conflict, "You already have a pipeline named %s.", p.Name)
		}
		for app := range r.Couplings {
			if _, taken := other.Couplings[app]; taken {
				return renga.Errorf(renga.Conflict, "That app is in the pipeline %s; remove it there first.", other.Name)
			}
		}
	}
	all[string(p.ID)] = r
	return nil
}

// uncouple takes an app out of its pipeline.
func (s *Store) uncouple(ctx context.Context, app renga.AppID) error {
	return editCollection(ctx, s, pipelines, func(all map[string]pipelineRecord) error {
		for _, r := range all {
			delete(r.Couplings, app)
		}
		return nil
	})
}

// PipelineVars reads the config vars that apps made for a stage get.
func (s *Store) PipelineVars(ctx context.Context, id renga.PipelineID, stage renga.Stage) (renga.Vars, error) {
	records, err := readCollection[pipelineRecord](ctx, s, pipelines)
	if err != nil {
		return nil, err
	}
	r, ok := records[string(id)]
	if !ok {
		return nil, errNoPipeline()
	}
	return s.stageVars(r, stage)
}

// SetPipelineVars lets edit change a stage's config vars in place and gives
// back what was written; edit as in UpdatePipeline.
func (s *Store) SetPipelineVars(ctx context.Context, id renga.PipelineID, stage renga.Stage,
	edit func(renga.Vars) error) (renga.Vars, error) {
	var vars renga.Vars
	err := editCollection(ctx, s, pipelines, func(all map[string]pipelineRecord) error {
		r, ok := all[string(id)]
		if !ok {
			return errNoPipeline()
		}
		var err error
		if vars, err = s.stageVars(r, stage); err != nil {
			return err
		}
		if err := edit(vars); err != nil {
			return err
		}
		sealed, err := s.seal(stagePlace(id, stage), encode(map[string]string(vars)))
		if err != nil {
			return err
		}
		r.Vars = maps.Clone(r.Vars)
		if r.Vars == nil {
			r.Vars = map[renga.Stage]string{}
		}
		r.Vars[stage], r.UpdatedAt = sealed, now()
		all[string(id)] = r
		return nil
	})
	return vars, err
}

func stagePlace(id renga.PipelineID, stage renga.Stage) string {
	return fmt.Sprintf("pipeline %s %s", id, stage)
}

func (s *Store) stageVars(r pipelineRecord, stage renga.Stage) (renga.Vars, error) {
	sealed, ok := r.Vars[stage]
	if !ok {
		return renga.Vars{}, nil
	}
	text, err := s.unseal(stagePlace(r.ID, stage), sealed)
	if err != nil {
		return nil, err
	}
	vars, err := decode[map[string]string](stagePlace(r.ID, stage), text)
	return vars, err
}

func newPipelineRecord(p renga.Pipeline, vars map[renga.Stage]string) pipelineRecord {
	r := pipelineRecord{
		ID: p.ID, Name: p.Name, Owner: p.Owner, Vars: vars, CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC(),
		Couplings: make(map[renga.AppID]couplingRecord, len(p.Couplings)),
	}
	for _, c := range p.Couplings {
		r.Couplings[c.App] = couplingRecord{
			ID: c.ID, Stage: c.Stage, CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC(),
		}
	}
	return r
}

func (r pipelineRecord) pipeline() renga.Pipeline {
	p := renga.Pipeline{ID: r.ID, Name: r.Name, Owner: r.Owner, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC()}
	for _, app := range slices.Sorted(maps.Keys(r.Couplings)) {
		c := r.Couplings[app]
		p.Couplings = append(p.Couplings, renga.Coupling{
			ID: c.ID, App: app, Stage: c.Stage, CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC(),
		})
	}
	return p
}
