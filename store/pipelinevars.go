package store

import (
	"context"
	"fmt"
	"maps"

	"renga"
)

// PipelineVars reads the config vars that apps made for a stage get.
func (s *Store) PipelineVars(ctx context.Context, id renga.PipelineID, stage renga.Stage) (renga.Vars, error) {
	var vars renga.Vars
	err := s.do(ctx, "read pipeline "+string(id), func(ctx context.Context) error {
		found, err := s.somePipelines(ctx, []string{string(id)})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return errNoPipeline()
		}
		vars, err = s.stageVars(found[0], stage)
		return err
	})
	return vars, err
}

// SetPipelineVars lets edit change a stage's config vars in place and gives
// back what was written; edit as in UpdatePipeline.
func (s *Store) SetPipelineVars(ctx context.Context, id renga.PipelineID, stage renga.Stage,
	edit func(renga.Vars) error) (renga.Vars, error) {
	var vars renga.Vars
	err := s.editPipeline(ctx, id, func(before *pipelineRecord) (*pipelineRecord, error) {
		if before == nil {
			return nil, errNoPipeline()
		}
		var err error
		if vars, err = s.stageVars(*before, stage); err != nil {
			return nil, err
		}
		if err := edit(vars); err != nil {
			return nil, err
		}
		sealed, err := s.seal(stagePlace(id, stage), encode(map[string]string(vars)))
		if err != nil {
			return nil, err
		}
		after := *before
		after.Vars = maps.Clone(before.Vars)
		if after.Vars == nil {
			after.Vars = map[renga.Stage]string{}
		}
		after.Vars[stage], after.UpdatedAt = sealed, now()
		return &after, nil
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
