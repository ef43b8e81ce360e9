package runtime

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"renga"
	"renga/runtime/plan"
)

// worker looks after one app. Looks never overlap; steps that take long run
// beside them and wake the worker when they end.
type worker struct {
	m    *Manager
	app  renga.AppID
	wake chan struct{}
	// began is when this process first cared for the app.
	began time.Time
	// name is the app's, once the store has told it.
	name atomic.Pointer[string]
	// tasks are the steps and probes under way; run waits for them.
	tasks sync.WaitGroup

	// What only looks touch:
	wanted *renga.Desired // as the store said last
	routed *renga.Route   // as the router was told last
	// announced is what the router was told while the engine could not be asked.
	announced *renga.Route
	saved     []renga.Dyno // as the store was told last, if hasSaved
	hasSaved  bool
	states    map[string]renga.DynoState // by name, as the app's log was told last
	tallied   map[string]renga.Tally     // a canary's requests, by dyno
	marked    plan.Mark                  // last
	finished  plan.Finish                // last
	adopted   bool                       // the first look at the engine is over
	awake     time.Time                  // since when the app is, or this process

	mu     sync.Mutex
	starts map[string]plan.Attempt       // by StartKey
	aborts map[string]context.CancelFunc // of those under way
	sights map[string]*sight             // by the engine's id
}

func newWorker(m *Manager, app renga.AppID) *worker {
	return &worker{
		m: m, app: app, wake: make(chan struct{}, 1), began: m.opts.Now(), awake: m.opts.Now(),
		starts: map[string]plan.Attempt{}, aborts: map[string]context.CancelFunc{}, sights: map[string]*sight{},
	}
}

// logger names the app in every line: by its name, or by its id while the name
// is not known, as for dynos of an app that is gone.
func (w *worker) logger() *slog.Logger {
	if name := w.name.Load(); name != nil {
		return w.m.log.With("app", *name)
	}
	return w.m.log.With("app", w.app)
}

// run looks whenever it is woken or time asks for it, until ctx ends or the app
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
		case <-w.wake:
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
