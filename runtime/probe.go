package runtime

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"renga"
	"renga/runtime/engine"
)

// How a web dyno is probed. The pause grows with the time that it took so far,
// for who boots for a minute need not be asked fifty times a second.
const (
	firstProbe   = 20 * time.Millisecond
	longestProbe = 250 * time.Millisecond
	probeTimeout = time.Second
	portsTimeout = 2 * time.Second
)

// readyAfter makes a dyno ready that ran until at.
func (w *watch) readyAfter(at, now time.Time) (turns time.Time) {
	if at.After(now) {
		return at
	}
	w.readyAt = at
	return time.Time{}
}

// deadline is when a web dyno must listen. The time in which nobody looked, for
// Renga was not running, does not count.
func (w *watch) deadline(i engine.Instance) time.Time {
	begin := i.StartedAt
	if w.firstSeen.After(begin) {
		begin = w.firstSeen
	}
	return begin.Add(w.m.opts.BootTimeout)
}

// overdue tells whether a web dyno has just missed its deadline.
func (w *watch) overdue(i engine.Instance, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return i.Type == renga.Web && i.State == engine.Running && w.readyAt.IsZero() && w.late == "" &&
		w.ending != stopping && !now.Before(w.deadline(i))
}

// lateReason says what a late dyno did instead, as far as the engine can tell.
func (w *watch) lateReason(ctx context.Context, app renga.App, i engine.Instance) string {
	if app.HealthCheck.On() {
		return fmt.Sprintf("Health check did not pass within %.0f seconds of launch (R10): %v", w.m.opts.BootTimeout.Seconds(), w.lastAnswer())
	}
	lister, ok := w.m.engine.(engine.PortLister)
	var listens []string
	if ok {
		brief, cancel := context.WithTimeout(ctx, portsTimeout)
		defer cancel()
		var err error
		if listens, err = lister.Ports(brief, i.ID); err != nil {
			ok = false
			w.logger().WarnContext(ctx, "cannot tell where the dyno listens", "dyno", i.Name, "err", err)
		}
	}
	return lateReason(w.m.opts.BootTimeout, w.m.opts.Port, listens, ok)
}

// lastAnswer is the last one to the probe.
func (w *watch) lastAnswer() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answer
}

// probeLocked begins to ask a web dyno whether it is up, unless that goes on
// already.
func (w *watch) probeLocked(ctx context.Context, app renga.App, i engine.Instance, within time.Duration) {
	if w.probe != nil || i.Addr == "" {
		return
	}
	ctx, w.probe = context.WithTimeout(ctx, within)
	w.tasks.Go(func() {
		if w.answers(ctx, w.checkOf(app, i)) {
			w.ready(w.m.opts.Now())
			w.lookAgain()
		}
	})
}

// answers asks until the answer is good, or ctx ends.
func (w *watch) answers(ctx context.Context, c check) bool {
	for begin := w.m.opts.Now(); ctx.Err() == nil; {
		err := w.ask(ctx, c)
		if err == nil {
			return true
		}
		w.answered(err, ctx.Err() != nil)
		wait(ctx, min(max(w.m.opts.Now().Sub(begin)/50, firstProbe), longestProbe))
	}
	return false
}

// answered notes a bad answer. One that the deadline cut short says nothing of
// the dyno, and does not take the place of one that does.
func (w *watch) answered(err error, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.answer == nil || !cut {
		w.answer = err
	}
}

// ready notes since when a dyno listens.
func (w *watch) ready(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopProbeLocked()
	w.readyAt = at
}

func (w *watch) stopProbeLocked() {
	if w.probe != nil {
		w.probe()
		w.probe = nil
	}
}

// connect is the probe by TCP.
func connect(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// lateReason says what a web dyno did wrong that did not listen in time. Listens
// is what it listens on instead; ok is false when nobody knows.
func lateReason(within time.Duration, port int, listens []string, ok bool) string {
	reason := fmt.Sprintf("Web process failed to bind to $PORT within %.0f seconds of launch (R10)", within.Seconds())
	if !ok {
		return reason
	}
	where := "nothing"
	if len(listens) > 0 {
		where = strings.Join(listens, " and ")
	}
	return fmt.Sprintf("%s; it listens on %s; it must listen on 0.0.0.0:%d, the value of $PORT", reason, where, port)
}
