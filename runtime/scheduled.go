package runtime

import (
	"context"
	"fmt"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/plan"
)

// One-off dynos of schedules are like detached ones, and two things more: whoever
// asks for one chose its id, so that it is not started again when it is asked for
// again after a crash; and it is kept after its end until that is written down.

// found is the dyno that was asked for and is there already. One that was made
// and not started is on its way out.
func found(i engine.Instance) (renga.Dyno, *Session, error) {
	if i.State == engine.Created {
		return renga.Dyno{}, nil, renga.Errorf(renga.Unavailable,
			"A dyno that was made before for the same is being removed; try again in a moment.")
	}
	return plan.Seen{Instance: i}.OneOffDyno(), nil, nil
}

// FindOneOff finds a one-off dyno by its id, one that has ended included. It is
// renga.NotFound when there is none that was started.
func (m *Manager) FindOneOff(ctx context.Context, app renga.AppID, dyno string) (renga.Dyno, error) {
	all, err := m.engine.List(ctx, app)
	if err != nil {
		return renga.Dyno{}, fmt.Errorf("list dynos: %w", err)
	}
	for _, i := range all {
		if i.Dyno == dyno && i.OneOff() && i.State != engine.Created {
			return plan.Seen{Instance: i}.OneOffDyno(), nil
		}
	}
	return renga.Dyno{}, renga.Errorf(renga.NotFound, "Couldn't find that one-off dyno.")
}
