package plan

import (
	"fmt"
	"slices"
	"time"

	"renga"
	"renga/runtime/engine"
)

// State is one app as a look finds it: all that a plan depends on.
type State struct {
	App     renga.AppID
	Desired renga.Desired
	// Domain is the platform's; the app's default host is its name below it.
	Domain string
	// Gone says that nothing of the app is to be left.
	Gone bool
	// Away says that the store does not answer, and Desired is what it said
	// last. Crashed dynos are then started again, and nothing else changes.
	Away      bool
	Instances []Seen
	// Starts are the starts that are under way or went wrong, by [StartKey].
	Starts map[string]Attempt
	// PhaseLimit is how long a release command may run.
	PhaseLimit time.Duration
	// DeployLimit is how long a release may take to come up, counted from Began at
	// the earliest, when this process first looked. Zero for no limit.
	DeployLimit time.Duration
	Began       time.Time
	// WatchWindow is how long a release may be rolled back after it took over, when it does not hold.
	WatchWindow time.Duration
	// Tally is of the web dynos of the release that is judged, see [State.Judged].
	Tally renga.Tally
	// Requested says that somebody asks for the app while it sleeps.
	Requested bool
	// IdleSince is since when nobody asked for it: it begins anew when the
	// app wakes up and with each start of Renga. Asked is when Desired was asked for.
	IdleSince, Asked time.Time
	// Turns is when the state changes without an event: a dyno has run long
	// enough to count, or too long without listening. Zero for never.
	Turns time.Time
	Now   time.Time
}

// Seen is an instance and what the manager knows of it beyond the engine.
type Seen struct {
	engine.Instance
	// ReadyAt is since when it counts as up, as long as it runs: a web dyno
	// since it listens, another since it ran for a while. Zero for not yet.
	ReadyAt time.Time
	// Late says that it did not listen in time (R10), or failed its health check.
	Late bool
	// Reason says why it is not up, when it exited or is late.
	Reason string
	// Reserved says that this process makes it, or that its client is here: a one-off
	// dyno.
	Reserved bool
	// Recording says that its output is still being written down.
	Recording bool
	// LastLines are its last output, once it exited.
	LastLines []string
	// Stopping and Killing say that this is under way.
	Stopping, Killing bool
	// NotBefore is when a stop or kill that went wrong may be tried again.
	NotBefore time.Time
}

// up tells whether the instance does what it is for.
func (s Seen) up() bool {
	return s.State == engine.Running && !s.ReadyAt.IsZero() && !s.Late && !s.Stopping && !s.Killing
}

// Attempt is a start that is under way, or that went wrong, or both: tried anew.
type Attempt struct {
	Dyno  string   // the dyno's id
	Alone []string // the volumes that it is to write alone
	Busy  bool     // under way
	Since time.Time
	// Failed counts the tries in a row that went wrong. The first of them began
	// at First, the last ended at Last, and the next is due at Retry.
	Failed             int
	First, Last, Retry time.Time
	// Never says that the same start can never work.
	Never  bool
	Reason string
}

// StartKey names the start of one dyno of one release.
func StartKey(name string, release int) string {
	return name + " " + renga.VersionName(release)
}

// Plan is what to do next. Doing it again, or doing a part of it, does no harm.
type Plan struct {
	// Route is what the router is to know before any step is done.
	Route renga.Route
	Steps []Step
	// Again is when to look again if nothing happens before. Zero for never.
	Again time.Time
}

// Step is one of [Start], [Kill], [Mark], [Finish], [Rescue], [FallAsleep], [WakeUp] and
// [Stop].
type Step interface{ step() }

// Start makes a dyno of a release.
type Start struct {
	Name    string
	Type    renga.ProcessType
	Size    string
	Release renga.ReleaseRecord
	Crashes int // in a row, before this start
}

// Kill ends an instance that is beyond help, and keeps it as a crashed one. One
// that served has the time to finish what it does.
type Kill struct {
	Instance engine.Instance
	Gently   bool
}

// Mark says how far a pending release came: its release command, or that it is
// a canary from now on.
type Mark struct {
	Version int
	Phase   renga.ReleasePhase
	Canary  renga.Canary
}

// Finish says what became of a release.
type Finish struct {
	Version int
	Status  renga.ReleaseStatus
	Phase   renga.ReleasePhase // empty to leave it
	Reason  string
	// Instance is whose last lines explain a failure; empty when none can.
	Instance string
}

// Stop removes an instance; one that may be serving is drained first.
type Stop struct {
	Instance engine.Instance
	Drain    bool
	// Why says what a scheduled dyno did not do well that has ended.
	Why string
}

func (Start) step()  {}
func (Kill) step()   {}
func (Mark) step()   {}
func (Finish) step() {}
func (Stop) step()   {}

// Plan decides what to do next in a state. It looks at nothing else.
//
// Every dyno that is wanted is a slot: a name of a release. Each slot keeps its
// best instance; whatever no slot keeps is stopped.
func (st State) Plan() Plan {
	p := newPlanner(st)
	p.keepSlots()
	p.keepPhases()
	p.keepOneOffs()
	if at, may := p.sleepsAt(); may {
		p.lookAgain(at)
		p.fallingAsleep = p.passed(at)
	}
	if !p.fallingAsleep {
		p.ensureLive()
		p.checkLive()
		p.bringUpNext()
	}
	stops := p.stops()
	route := p.route(stops)
	return Plan{Route: route, Steps: slices.Concat(p.sleepSteps(), p.steps, stops), Again: p.again}
}

// planner is a plan in the making.
type planner struct {
	State
	live, next    []view
	serving       *renga.ReleaseRecord
	keep          map[string]bool // instances that stay, by id
	begun         map[string]bool // starts in this plan, by StartKey
	begunAlone    []string        // the volumes that they write alone
	fallingAsleep bool            // the app falls asleep
	steps         []Step
	again         time.Time
}

func newPlanner(st State) *planner {
	p := &planner{State: st, keep: map[string]bool{}, begun: map[string]bool{}, again: st.Turns}
	if st.Gone {
		return p
	}
	live, next := st.releases()
	p.serving = live
	if st.asleep() {
		return p
	}
	p.live, p.next = st.views(live), st.views(next)
	if next != nil && (live == nil || p.Away && allUp(p.next) && mayRun(*next) && !p.mustProve()) {
		p.serving = next
	}
	return p
}

// releases gives Live and Next, each once: a first release is both. Without
// preboot a release has taken the place of the live one as soon as its dynos
// may run.
//
// Another takes its place only when it is written down that it has succeeded, see
// [State.Succeeded]; or at once when that cannot be, for the store is away.
func (st State) releases() (live, next *renga.ReleaseRecord) {
	live, next = st.Desired.Live, st.Desired.Next
	if live != nil && next != nil && (live.Version == next.Version || !st.preboots() && mayRun(*next)) {
		live = nil
	}
	return live, next
}

// RunsIn is the release that one-off dynos run in: the one that answers. Before
// any release has succeeded that is the pending one, which may answer already.
// Nil when there is none.
func (st State) RunsIn() *renga.ReleaseRecord {
	live, next := st.releases()
	if live == nil && next != nil && len(next.Images) > 0 && mayRun(*next) {
		return next
	}
	return live
}

// Success is the plan's word that the pending release has succeeded; without it
// the rest of the plan still holds.
func (st State) Success(plan Plan) (f Finish, rest Plan, ok bool) {
	next := st.Desired.Next
	for n, step := range plan.Steps {
		f, is := step.(Finish)
		if is && next != nil && f.Version == next.Version && f.Status == renga.Succeeded {
			plan.Steps = slices.Concat(plan.Steps[:n], plan.Steps[n+1:])
			return f, plan, true
		}
	}
	return Finish{}, plan, false
}

// Succeeded is the state in which that is written down.
func (st State) Succeeded() State {
	live := *st.Desired.Next
	live.Outcome.Status, live.Outcome.Reason, live.Outcome.At = renga.Succeeded, "", st.Now
	st.Desired.Live, st.Desired.Next = &live, nil
	return st
}

// preboots tells whether new dynos start beside those that they replace. On a
// remembered wish nothing is stopped, so all do.
func (st State) preboots() bool {
	return st.Away || st.Desired.App.FeatureOn(renga.Preboot)
}

// ensureLive keeps the serving release complete. One that failed, and serves for
// want of a better, has succeeded after all once it is up.
func (p *planner) ensureLive() {
	for _, v := range p.live {
		if !p.givesWay(v) {
			p.ensure(v)
		}
	}
	if p.Away || p.Desired.Next != nil || len(p.live) == 0 || !allUp(p.live) {
		return
	}
	if s := p.serving.Outcome.Status; s == renga.Failed || s == renga.Pending {
		p.steps = append(p.steps, Finish{Version: p.serving.Version, Status: renga.Succeeded})
	}
}

// bringUpNext brings the pending release up beside the serving one.
func (p *planner) bringUpNext() {
	if p.Gone || p.Away || p.Desired.Next == nil {
		return
	}
	if f, lapsed := p.timedOut(*p.Desired.Next); lapsed {
		p.steps = append(p.steps, f)
		return
	}
	if !p.phasePassed(*p.Desired.Next) {
		return
	}
	if f, failed := p.failure(); failed {
		p.steps = append(p.steps, f)
		return
	}
	for _, v := range p.next {
		if p.isDue(v) {
			p.ensure(v)
		}
	}
	if allUp(p.next) {
		p.proceed(*p.Desired.Next)
	}
}

// failure tells whether the pending release has failed.
func (p *planner) failure() (Finish, bool) {
	if canary := p.canary(); canary != nil {
		return p.judgeCanary(*canary)
	}
	for _, v := range p.next {
		if f, failed := v.failure(); failed {
			return f, true
		}
	}
	return Finish{}, false
}

// ensure sees to it that a slot's dyno runs.
func (p *planner) ensure(v view) {
	switch {
	case v.alive != nil && v.alive.Late && !v.alive.Killing && !p.Away:
		p.lookAgain(v.alive.NotBefore)
		if p.passed(v.alive.NotBefore) {
			p.steps = append(p.steps, Kill{v.alive.Instance, !v.alive.ReadyAt.IsZero()})
		}
	case v.alive == nil && !v.attempt.Busy && !p.waits(v):
		crashes, at := v.nextTry(p.Now)
		p.lookAgain(at)
		if p.passed(at) {
			p.begun[v.key()], p.begunAlone = true, append(p.begunAlone, v.alone...)
			p.steps = append(p.steps, Start{Name: v.name, Type: v.typ, Size: v.size, Release: *v.release, Crashes: crashes})
		}
	}
}

// waits tells whether a slot's dyno starts only when others have gone: those that
// might write to its disk, and without preboot those of its type that run for
// another release, or that it replaces.
func (p *planner) waits(v view) bool {
	return p.taken(v) || !p.preboots() && slices.ContainsFunc(p.Instances, func(i Seen) bool {
		return i.State == engine.Running && i.Type == v.typ && !i.OneOff() && !v.fresh(i.Instance) &&
			(i.Name == v.name || i.Release != v.release.Version)
	})
}

// keepSlots marks what the slots hold on to: each its instance; else the one
// that crashed, which says how often; and what served before, until it is
// replaced.
func (p *planner) keepSlots() {
	for _, v := range slices.Concat(p.live, p.next) {
		switch {
		case p.givesWay(v):
		case v.alive != nil:
			p.keep[v.alive.ID] = true
		case v.exited != nil:
			p.keep[v.exited.ID] = true
		}
		if v.stale != nil && !v.up() && p.preboots() && !p.inTheWay(v.stale.Instance) {
			p.keep[v.stale.ID] = true
		}
	}
}

// passed tells whether a time has come.
func (p *planner) passed(at time.Time) bool { return !at.After(p.Now) }

// lookAgain has the app looked at again at a time, unless that has come.
func (p *planner) lookAgain(at time.Time) {
	if !p.passed(at) && (p.again.IsZero() || at.Before(p.again)) {
		p.again = at
	}
}

// failure tells whether a pending release has failed in this slot.
func (v view) failure() (Finish, bool) {
	f := Finish{Version: v.release.Version, Status: renga.Failed}
	last := v.alive
	if last == nil {
		last = v.exited
	}
	switch {
	case last != nil && last.Late:
		f.Reason, f.Instance = fmt.Sprintf("%s: %s", v.name, last.Reason), last.ID
	case v.alive == nil && v.exited != nil && crashes(v.exited.Instance) > retriesOfNext:
		f.Reason, f.Instance = fmt.Sprintf("%s crashed twice in a row: %s", v.name, v.exited.Reason), v.exited.ID
	default:
		f.Reason = v.unstartable()
	}
	return f, f.Reason != ""
}

// unstartable says why the slot's dyno cannot be started; "" when it can, or may
// yet.
func (v view) unstartable() string {
	a := v.attempt
	if a.Failed > 0 && (a.Never || a.Last.Sub(a.First) >= startTriesFor) {
		return fmt.Sprintf("%s could not be started: %s", v.name, a.Reason)
	}
	return ""
}
