package runtime

import (
	"context"
	"math/rand/v2"
	"time"

	"renga"
	"renga/runtime/plan"
)

// worker looks after one app. Looks never overlap; steps that take long run
// beside them and have the app looked at again when they end.
type worker struct {
	*appScope
	watches  *watches
	starts   *starts
	outcomes *outcomes
	records  *records
	routing  *routing

	began   time.Time              // when this process first cared for the app
	wanted  *renga.Desired         // as the store said last
	tallied map[string]renga.Tally // a canary's requests, by dyno
	adopted bool                   // the first look at the engine is over
	awake   time.Time              // since when the app is, or this process
}

func newWorker(m *Manager, app renga.AppID) *worker {
	scope := &appScope{m: m, app: app, again: make(chan struct{}, 1)}
	ws := &watches{scope: scope, byID: map[string]*watch{}}
	return &worker{
		appScope: scope, watches: ws, began: m.opts.Now(), awake: m.opts.Now(),
		starts: &starts{
			appScope: scope, watches: ws, attempts: map[string]plan.Attempt{}, aborts: map[string]context.CancelFunc{},
		},
		outcomes: &outcomes{appScope: scope}, records: &records{appScope: scope}, routing: &routing{appScope: scope},
	}
}

// run looks whenever it is asked to or it is time for it, until ctx ends or the app
// is gone and nothing of it is left.
func (w *worker) run(ctx context.Context) {
	defer w.tasks.Wait()
	timer := time.NewTimer(w.m.opts.Resync)
	defer timer.Stop()
	b := backoff{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.again:
		case <-timer.C:
		}
		again, over, err := w.turn(ctx)
		if over {
			return
		}
		pause := w.m.opts.Resync*3/4 + rand.N(w.m.opts.Resync/2) // spread, so that apps do not look in step
		if err != nil {
			pause = b.next()
			if renga.KindOf(err) != renga.Unavailable { // that is told once for all apps, by discover
				b.log(ctx, w.logger(), "look went wrong", err)
			}
		} else {
			b = backoff{}
		}
		if !again.IsZero() {
			pause = min(pause, max(0, again.Sub(w.m.opts.Now())))
		}
		timer.Reset(pause)
	}
}

// turn is one look, when it is this app's turn.
func (w *worker) turn(ctx context.Context) (again time.Time, over bool, err error) {
	select {
	case w.m.lookSlots <- struct{}{}:
		defer func() { <-w.m.lookSlots }()
	case <-ctx.Done():
		return time.Time{}, false, nil
	}
	defer w.m.looking(w.app)()
	again, over, err = w.look(ctx)
	if ctx.Err() != nil {
		return again, false, nil
	}
	w.m.stats.look(err)
	if renga.KindOf(err) != renga.Unavailable {
		w.m.looked(w.app)
	}
	return again, over, err
}
