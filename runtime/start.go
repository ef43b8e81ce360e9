package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/plan"
)

// startTimeout bounds a start with its pull.
const startTimeout = 15 * time.Minute

// starts are an app's that are under way or went wrong, by [plan.StartKey].
type starts struct {
	*appScope
	watches *watches

	mu       sync.Mutex
	attempts map[string]plan.Attempt
	aborts   map[string]context.CancelFunc // of those under way
}

// start begins to start a dyno.
func (ss *starts) start(ctx context.Context, app renga.App, s plan.Start) {
	key, dyno := plan.StartKey(s.Name, s.Release.Version), uuid.NewString()
	wanted, abort := context.WithCancel(ctx)
	ss.mu.Lock()
	a := ss.attempts[key]
	a.Dyno, a.Busy, a.Since = dyno, true, ss.m.opts.Now()
	a.Alone = renga.Alone(s.Release.Mounts, s.Type)
	ss.attempts[key], ss.aborts[key] = a, abort
	ss.mu.Unlock()
	ss.tasks.Go(func() {
		defer abort()
		i, err := ss.startDyno(wanted, app, s, dyno)
		if ctx.Err() != nil {
			return // the next process finds what came of it
		}
		if err != nil && wanted.Err() != nil {
			ss.aborted(key)
			return
		}
		ss.m.stats.step("start", err)
		ss.started(ctx, app, key, i, err)
		if err != nil {
			ss.logger().WarnContext(ctx, "dyno does not start", "dyno", s.Name, "release", s.Release.Version, "err", err)
			ss.say(s.Name, "Process could not be started: %s", renga.MessageOf(err, "an internal error, which is in Renga's log"))
		}
		ss.lookAgain()
	})
}

// aborted forgets a start that nobody wanted any more.
func (ss *starts) aborted(key string) {
	ss.mu.Lock()
	delete(ss.attempts, key)
	delete(ss.aborts, key)
	ss.mu.Unlock()
	ss.lookAgain()
}

// startDyno starts a dyno when it is its turn.
func (ss *starts) startDyno(ctx context.Context, app renga.App, s plan.Start, dyno string) (engine.Instance, error) {
	select {
	case ss.m.startSlots <- struct{}{}:
		defer func() { <-ss.m.startSlots }()
	case <-ctx.Done():
		return engine.Instance{}, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	r, err := ss.m.ledger.Release(ctx, app, s.Release.Digest)
	if err != nil {
		return engine.Instance{}, fmt.Errorf("open %s: %w", renga.VersionName(s.Release.Version), err)
	}
	spec, err := ss.m.opts.spec(app, r, s, dyno)
	if err != nil {
		return engine.Instance{}, err
	}
	ss.say(s.Name, "Starting process with command `%s`", renga.CommandLine(spec.Image.Command))
	i, err := ss.m.engine.Start(ctx, spec)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = &renga.Error{
			Kind: renga.Unavailable, Err: err,
			Message: fmt.Sprintf("fetching the image and starting it took longer than %s", startTimeout),
		}
	}
	if err != nil {
		return engine.Instance{}, fmt.Errorf("start %s: %w", s.Name, err)
	}
	return i, nil
}

// started notes what came of a start.
func (ss *starts) started(ctx context.Context, app renga.App, key string, i engine.Instance, err error) {
	ss.mu.Lock()
	delete(ss.aborts, key)
	if err != nil {
		ss.attempts[key] = ss.attempts[key].WithFailure(err, ss.m.opts.Now())
	} else {
		delete(ss.attempts, key)
	}
	ss.mu.Unlock()
	if err == nil {
		ss.watches.of(i.ID).began(ctx, app, i)
	}
}

// all is what is known of starts now.
func (ss *starts) all() map[string]plan.Attempt {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return maps.Clone(ss.attempts)
}

// since is what is known of starts now, and of those that were under way before the
// engine was asked and have ended since: their dynos were not there to be listed, and
// are not gone.
func (ss *starts) since(before map[string]plan.Attempt) map[string]plan.Attempt {
	all := maps.Clone(before)
	maps.DeleteFunc(all, func(_ string, a plan.Attempt) bool { return !a.Busy })
	maps.Copy(all, ss.all())
	return all
}

// prune forgets starts of dynos that are not wanted any more; those under way are
// broken off.
func (ss *starts) prune(state plan.State) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for key, a := range ss.attempts {
		switch {
		case state.Wants(key):
		case a.Busy:
			ss.aborts[key]()
		default:
			delete(ss.attempts, key)
		}
	}
}
