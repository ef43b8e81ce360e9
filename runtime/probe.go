package runtime

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/plan"
)

// How a web dyno is probed. The pause grows with the time that it took so far,
// for who boots for a minute need not be asked fifty times a second.
const (
	firstProbe   = 20 * time.Millisecond
	longestProbe = 250 * time.Millisecond
	probeTimeout = time.Second
	// adoptTimeout is how long the first look waits for the dynos that it finds.
	adoptTimeout = 250 * time.Millisecond
	portsTimeout = 2 * time.Second
)

// sight is what a worker remembers of one instance.
type sight struct {
	firstSeen time.Time
	readyAt   time.Time
	late      string             // the reason, once it is late or unwell
	probe     context.CancelFunc // of the probe under way; nil for none
	answer    error              // the last one to the probe
	attend    context.CancelFunc // of the check that goes on; nil for none
	attended  checkup            // what that asks

	recording, recorded bool          // its output, into Outputs
	kept                chan struct{} // closed once all its output is kept; nil when nobody follows it
	lastLines           []string      // once it exited

	stopping, killing bool
	failed            int // stops or kills in a row
	notBefore         time.Time
}

func (s *sight) stopProbe() {
	if s.probe != nil {
		s.probe()
		s.probe = nil
	}
}

// sightLocked gives what is remembered of an instance, or begins to.
func (w *worker) sightLocked(id string, now time.Time) *sight {
	s, ok := w.sights[id]
	if !ok {
		s = &sight{firstSeen: now}
		w.sights[id] = s
	}
	return s
}

// busyEnds is a copy of what is remembered of the instances that are being
// stopped or killed.
func (w *worker) busyEnds() map[string]sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	busy := map[string]sight{}
	for id, s := range w.sights {
		if s.stopping || s.killing {
			busy[id] = *s
		}
	}
	return busy
}

// see adds to an instance of an app what the manager knows of it, and tells when
// that changes with time.
func (w *worker) see(ctx context.Context, app renga.App, i engine.Instance, now time.Time) (seen plan.Seen, turns time.Time) {
	late := w.overdue(i, now)
	var reason string
	if late {
		reason = w.lateReason(ctx, app, i)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sightLocked(i.ID, now)
	w.followLocked(ctx, i, s)
	if late && s.readyAt.IsZero() {
		s.late = reason
		w.say(i.Name, "Error R10 (Boot timeout) -> %s", strings.Replace(reason, " (R10)", "", 1))
		w.say(i.Name, "Stopping process with SIGKILL")
	}
	w.judgeLocked(i, s)
	switch {
	case i.State != engine.Running || s.stopping || s.late != "":
		s.stopProbe()
		s.stopAttending()
	case i.Type != renga.Web:
		turns = s.settle(i.StartedAt.Add(w.m.opts.Settle), now)
	case s.readyAt.IsZero():
		turns = w.deadline(i, s)
		w.probeLocked(ctx, app, i, s, turns.Sub(now))
	default:
		w.attendLocked(ctx, i, s, w.checkup(app, i))
	}
	seen = plan.Seen{Instance: i, ReadyAt: s.readyAt, Late: s.late != "", Reason: s.late, NotBefore: s.notBefore}
	if i.Type == renga.Web && i.Health == engine.Untried && s.late == "" {
		seen.ReadyAt = time.Time{}
	}
	seen.Reserved = i.OneOff() && w.m.oneOffs.holds(i.Dyno)
	seen.Recording = w.recordLocked(ctx, i, s)
	if i.State == engine.Exited {
		seen.LastLines = s.lastLines
		if !seen.Late {
			seen.Reason = plan.ExitReason(i)
		}
	}
	return seen, turns
}

// settle makes a dyno ready that ran until at.
func (s *sight) settle(at, now time.Time) (turns time.Time) {
	if at.After(now) {
		return at
	}
	s.readyAt = at
	return time.Time{}
}

// deadline is when a web dyno must listen. The time in which nobody looked, for
// Renga was not running, does not count.
func (w *worker) deadline(i engine.Instance, s *sight) time.Time {
	begin := i.StartedAt
	if s.firstSeen.After(begin) {
		begin = s.firstSeen
	}
	return begin.Add(w.m.opts.BootTimeout)
}

// overdue tells whether a web dyno has just missed its deadline.
func (w *worker) overdue(i engine.Instance, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.sights[i.ID]
	return ok && i.Type == renga.Web && i.State == engine.Running && s.readyAt.IsZero() && s.late == "" &&
		!s.stopping && !now.Before(w.deadline(i, s))
}

// lateReason says what a late dyno did instead, as far as the engine can tell.
func (w *worker) lateReason(ctx context.Context, app renga.App, i engine.Instance) string {
	if app.HealthCheck.On() {
		return fmt.Sprintf("Health check did not pass within %.0f seconds of launch (R10): %v", w.m.opts.BootTimeout.Seconds(), w.answerOf(i.ID))
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

// answerOf is the last answer to an instance's probe.
func (w *worker) answerOf(id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sights[id].answer
}

// probeLocked begins to ask a web dyno whether it is up, unless that goes on
// already.
func (w *worker) probeLocked(ctx context.Context, app renga.App, i engine.Instance, s *sight, within time.Duration) {
	if s.probe != nil || i.Addr == "" {
		return
	}
	ctx, s.probe = context.WithTimeout(ctx, within)
	w.tasks.Go(func() {
		if w.answers(ctx, i.ID, w.checkup(app, i)) {
			w.ready(i.ID, w.m.opts.Now())
			poke(w.wake)
		}
	})
}

// answers asks until the answer is good, or ctx ends.
func (w *worker) answers(ctx context.Context, id string, c checkup) bool {
	for begin := w.m.opts.Now(); ctx.Err() == nil; {
		err := w.ask(ctx, c)
		if err == nil {
			return true
		}
		w.answered(id, err, ctx.Err() != nil)
		wait(ctx, min(max(w.m.opts.Now().Sub(begin)/50, firstProbe), longestProbe))
	}
	return false
}

// answered notes a bad answer. One that the deadline cut short says nothing of
// the dyno, and does not take the place of one that does.
func (w *worker) answered(id string, err error, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s, ok := w.sights[id]; ok && (s.answer == nil || !cut) {
		s.answer = err
	}
}

// ready notes since when a dyno listens.
func (w *worker) ready(id string, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s, ok := w.sights[id]; ok {
		s.stopProbe()
		s.readyAt = at
	}
}

// adopt asks the dynos that ran before this process once, all at the same time,
// so that the first route is complete.
func (w *worker) adopt(ctx context.Context, instances []engine.Instance) {
	ctx, cancel := context.WithTimeout(ctx, adoptTimeout)
	defer cancel()
	var all sync.WaitGroup
	for _, i := range instances {
		if i.Type != renga.Web || i.State != engine.Running || i.Addr == "" {
			continue
		}
		w.mu.Lock()
		w.sightLocked(i.ID, w.m.opts.Now())
		w.mu.Unlock()
		all.Go(func() {
			if w.m.opts.Probe(ctx, i.Addr) == nil {
				w.ready(i.ID, i.StartedAt)
			}
		})
	}
	all.Wait()
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
