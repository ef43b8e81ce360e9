package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

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

func errNoPipeline() error { return renga.Errorf(renga.NotFound, "Couldn't find that pipeline.") }

// Pipelines reads an account's own pipelines and those that any of the apps is
// in, with all their couplings, in order of their names.
func (s *Store) Pipelines(ctx context.Context, owner renga.AccountID, apps []renga.AppID) ([]renga.Pipeline, error) {
	var found []renga.Pipeline
	err := s.do(ctx, "read pipelines", func(ctx context.Context) error {
		ids, err := pipelineIDs(ctx, s.db, owner, apps)
		if err != nil {
			return err
		}
		records, err := s.somePipelines(ctx, ids)
		for _, r := range records {
			found = append(found, r.pipeline())
		}
		return err
	})
	slices.SortFunc(found, func(a, b renga.Pipeline) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return found, err
}

// CreatePipeline adds a pipeline. A name that another one of the same owner has
// is renga.Conflict, and one more than an account may have renga.Invalid.
func (s *Store) CreatePipeline(ctx context.Context, p renga.Pipeline) error {
	return s.editPipeline(ctx, p.ID, func(before *pipelineRecord) (*pipelineRecord, error) {
		var vars map[renga.Stage]string
		if before != nil {
			vars = before.Vars
		}
		return pipelineRecordOf(p, vars)
	})
}

// UpdatePipeline lets edit change a pipeline, its couplings included, and gives
// back what was written. edit may be called several times, and its error is the
// answer. renga.Conflict is a name that is taken, or an app that is in another
// pipeline or twice in this one.
func (s *Store) UpdatePipeline(ctx context.Context, id renga.PipelineID,
	edit func(*renga.Pipeline) error) (renga.Pipeline, error) {
	var after renga.Pipeline
	err := s.editPipeline(ctx, id, func(before *pipelineRecord) (*pipelineRecord, error) {
		if before == nil {
			return nil, errNoPipeline()
		}
		after = before.pipeline()
		if err := edit(&after); err != nil {
			return nil, err
		}
		r, err := pipelineRecordOf(after, before.Vars)
		if err != nil || encode(r) == encode(before) {
			return r, err
		}
		after.UpdatedAt = now()
		r.UpdatedAt = after.UpdatedAt
		return r, nil
	})
	return after, err
}

// DeletePipeline removes a pipeline with its couplings; the apps stay.
func (s *Store) DeletePipeline(ctx context.Context, id renga.PipelineID) error {
	return s.editPipeline(ctx, id, func(before *pipelineRecord) (*pipelineRecord, error) {
		if before == nil {
			return nil, errNoPipeline()
		}
		return nil, nil //nolint:nilnil // no record is what remains
	})
}

// maxPipelines bounds how many pipelines an account has: whoever edits one reads
// all of its owner's.
const maxPipelines = 100

// mayOwn refuses an account one pipeline more than it may have.
func mayOwn(others []pipelineRecord, r pipelineRecord) error {
	owned := 0
	for _, other := range others {
		if other.Owner != r.Owner {
			continue
		}
		if owned++; other.ID == r.ID {
			return nil // it has this one already
		}
	}
	if owned >= maxPipelines {
		return renga.Errorf(renga.Invalid, "An account may have %d pipelines; delete one first.", maxPipelines)
	}
	return nil
}

// mayStand tells whether a pipeline may stand beside the others of its owner
// and of its apps.
func mayStand(others []pipelineRecord, r pipelineRecord) error {
	if err := mayOwn(others, r); err != nil {
		return err
	}
	for _, other := range others {
		if other.ID == r.ID {
			continue
		}
		if other.Owner == r.Owner && other.Name == r.Name {
			return renga.Errorf(renga.Conflict, "You already have a pipeline named %s.", r.Name)
		}
		for app := range r.Couplings {
			if _, taken := other.Couplings[app]; taken {
				return renga.Errorf(renga.Conflict, "That app is in the pipeline %s; remove it there first.", other.Name)
			}
		}
	}
	return nil
}

// editPipeline lets next make a pipeline's new record of its old one; nil is
// none, before as well as after. next may be called several times, and its error
// is the answer.
func (s *Store) editPipeline(ctx context.Context, id renga.PipelineID,
	next func(before *pipelineRecord) (*pipelineRecord, error)) error {
	return s.do(ctx, "edit pipeline "+string(id), func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error { return replacePipeline(ctx, tx, id, next) }, keyPipelines)
	})
}

// uncouple takes an app out of its pipeline.
func (s *Store) uncouple(ctx context.Context, app renga.AppID) error {
	return s.do(ctx, "uncouple app "+string(app), func(ctx context.Context) error {
		return s.transact(ctx, func(tx *redis.Tx) error {
			id, err := tx.HGet(ctx, keyCoupled, string(app)).Result()
			if missing(err) {
				return nil
			}
			if err != nil {
				return err
			}
			return replacePipeline(ctx, tx, renga.PipelineID(id), func(before *pipelineRecord) (*pipelineRecord, error) {
				if before == nil {
					return nil, nil //nolint:nilnil // there was none, there is none
				}
				after := *before
				after.Couplings = maps.Clone(before.Couplings)
				delete(after.Couplings, app)
				return &after, nil
			})
		}, keyPipelines)
	})
}

// replacePipeline is one try of editPipeline.
func replacePipeline(ctx context.Context, tx *redis.Tx, id renga.PipelineID,
	next func(*pipelineRecord) (*pipelineRecord, error)) error {
	before, err := pipelineRecordIn(ctx, tx, id)
	if err != nil {
		return err
	}
	after, err := next(before)
	if err != nil {
		return err
	}
	if encode(before) == encode(after) {
		return nil
	}
	if after != nil {
		others, err := pipelinesBeside(ctx, tx, *after)
		if err == nil {
			err = mayStand(others, *after)
		}
		if err != nil {
			return err
		}
	}
	return multi(ctx, tx, func(p redis.Pipeliner) {
		dropPipeline(ctx, p, before)
		putPipeline(ctx, p, after)
	})
}

// pipelineRecordOf is the stored form of a pipeline in which no app is twice.
func pipelineRecordOf(p renga.Pipeline, vars map[renga.Stage]string) (*pipelineRecord, error) {
	r := newPipelineRecord(p, vars)
	if len(r.Couplings) < len(p.Couplings) {
		return nil, renga.Errorf(renga.Conflict, "That app is in the pipeline %s already.", p.Name)
	}
	return &r, nil
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
