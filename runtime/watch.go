package runtime

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/plan"
)

// watch looks after one instance: it probes the instance until that is up, goes on
// checking its health, keeps what it prints, and ends it.
type watch struct {
	*appScope
	firstSeen time.Time

	mu      sync.Mutex
	readyAt time.Time
	late    string             // the reason, once it is late or its health check failed
	probe   context.CancelFunc // of the probe under way; nil for none
	answer  error              // the last one to the probe
	health  context.CancelFunc // of the check that goes on; nil for none
	checked check              // what that asks

	recording recording
	kept      chan struct{} // closed once all its output is kept; nil when nobody follows it
	lastLines []string      // once it exited

	ending     ending
	failedEnds int // stops or kills in a row
	notBefore  time.Time
}

// ending says how an instance is being ended, if it is.
type ending string

const (
	stopping ending = "stop"
	killing  ending = "kill"
)

// see adds to an instance of an app what the manager knows of it, and tells when
// that changes with time.
func (w *watch) see(ctx context.Context, app renga.App, i engine.Instance, now time.Time) (seen plan.Seen, turns time.Time) {
	overdue := w.overdue(i, now)
	var reason string
	if overdue {
		reason = w.lateReason(ctx, app, i)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.followLocked(ctx, i)
	if overdue && w.readyAt.IsZero() {
		w.late = reason
		w.say(i.Name, "Error R10 (Boot timeout) -> %s", strings.Replace(reason, " (R10)", "", 1))
		w.say(i.Name, "Stopping process with SIGKILL")
	}
	w.judgeImageCheckLocked(i)
	turns = w.advanceLocked(ctx, app, i, now)
	return w.seenLocked(ctx, i), turns
}

// advanceLocked begins or goes on with what finds out whether the instance is up
// and stays so.
func (w *watch) advanceLocked(ctx context.Context, app renga.App, i engine.Instance, now time.Time) (turns time.Time) {
	switch {
	case i.State != engine.Running || w.ending == stopping || w.late != "":
		w.stopChecksLocked()
	case i.Type != renga.Web:
		turns = w.readyAfter(i.StartedAt.Add(w.m.opts.Settle), now)
	case w.readyAt.IsZero():
		turns = w.deadline(i)
		w.probeLocked(ctx, app, i, turns.Sub(now))
	default:
		w.checkHealthLocked(ctx, i, w.checkOf(app, i))
	}
	return turns
}

// seenLocked is the instance with what is known of it now.
func (w *watch) seenLocked(ctx context.Context, i engine.Instance) plan.Seen {
	seen := plan.Seen{Instance: i, ReadyAt: w.readyAt, Late: w.late != "", Reason: w.late, NotBefore: w.notBefore}
	if i.Type == renga.Web && i.Health == engine.Untried && w.late == "" {
		seen.ReadyAt = time.Time{}
	}
	seen.Reserved = i.OneOff() && w.m.oneOffs.has(i.Dyno)
	seen.Recording = w.recordLocked(ctx, i)
	if i.State == engine.Exited {
		seen.LastLines = w.lastLines
		if !seen.Late {
			seen.Reason = plan.ExitReason(i)
		}
	}
	return seen
}

// began goes on with an instance that has just been started. A web dyno is probed
// right away; the next look would do it a little later.
func (w *watch) began(ctx context.Context, app renga.App, i engine.Instance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.followLocked(ctx, i)
	if i.Type == renga.Web {
		w.probeLocked(ctx, app, i, w.m.opts.BootTimeout)
	}
}

func (w *watch) stopChecksLocked() {
	w.stopProbeLocked()
	w.stopHealthLocked()
}

// isEnding says how the instance is being ended now.
func (w *watch) isEnding() ending {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ending
}

// watches are those of one app's instances, by the engine's id.
type watches struct {
	scope *appScope
	mu    sync.Mutex
	byID  map[string]*watch
}

// of is the watch of an instance; it begins with the first call.
func (ws *watches) of(id string) *watch {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w, ok := ws.byID[id]
	if !ok {
		w = &watch{appScope: ws.scope, firstSeen: ws.scope.m.opts.Now()}
		ws.byID[id] = w
	}
	return w
}

// all are the watches there are now.
func (ws *watches) all() map[string]*watch {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return maps.Clone(ws.byID)
}

// endings are the instances that are being stopped or killed now.
func (ws *watches) endings() map[string]ending {
	all := map[string]ending{}
	for id, w := range ws.all() {
		if how := w.isEnding(); how != "" {
			all[id] = how
		}
	}
	return all
}

// drop ends the watches of instances that are gone. Before are those there were
// when the engine was asked for the instances: one that began since is of an
// instance that could not be listed yet.
func (ws *watches) drop(before map[string]*watch, instances []engine.Instance) {
	before = maps.Clone(before)
	for _, i := range instances {
		delete(before, i.ID)
	}
	for id, w := range before {
		w.mu.Lock()
		gone := w.ending == ""
		if gone {
			w.stopChecksLocked()
		}
		w.mu.Unlock()
		if gone {
			ws.mu.Lock()
			delete(ws.byID, id)
			ws.mu.Unlock()
		}
	}
}
