package runtime

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"renga"
	"renga/runtime/engine"
)

const (
	// tailLines of a failing dyno are kept with its release.
	tailLines   = 50
	tailTimeout = 5 * time.Second
)

// appScope is what all that looks after one app has in common.
type appScope struct {
	m   *Manager
	app renga.AppID
	// again says that the app is to be looked at.
	again chan struct{}
	// name is the app's, once the store has told it.
	name atomic.Pointer[string]
	// tasks are the steps and probes under way; the worker waits for them.
	tasks sync.WaitGroup
}

// lookAgain has the app looked at soon.
func (a *appScope) lookAgain() { notify(a.again) }

// logger names the app in every line: by its name, or by its id while the name
// is not known, as for dynos of an app that is gone.
func (a *appScope) logger() *slog.Logger {
	if name := a.name.Load(); name != nil {
		return a.m.log.With("app", *name)
	}
	return a.m.log.With("app", a.app)
}

// say adds a platform line about a dyno.
func (a *appScope) say(dyno, format string, args ...any) { a.m.say(a.app, dyno, format, args...) }

// tail gives the last lines of an instance; none when nobody can tell.
func (a *appScope) tail(ctx context.Context, id string) []string {
	tailer, ok := a.m.engine.(engine.Tailer)
	if !ok || id == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tailTimeout)
	defer cancel()
	lines, err := tailer.Tail(ctx, id, tailLines)
	if err != nil {
		a.logger().WarnContext(ctx, "cannot read the dyno's last lines", "err", err)
	}
	return lines
}
