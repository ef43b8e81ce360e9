package plan_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/enginetest"
	"renga/runtime/plan"
	"renga/runtime/plan/plantest"
)

// anyState is any state at all, the odd ones included: twins, leftovers of
// other releases, everything half done.
func anyState(t *rapid.T) plan.State {
	s := situation{
		live: rapid.SampledFrom([]string{"", "v3 web=a", "v3 web=a worker=b", "v3 worker=b",
			"v3 web=a+v1", "v3 web=a worker=b+v1", "v3 web=a+v2 worker=b+v1"}).Draw(t, "live"),
		next: rapid.SampledFrom([]string{"", "v4 web=a", "v4 web=a worker=b", "v4 worker=b", "v4 web=a release=m",
			"v4 web=a+v1 worker=b", "v4 web=a worker=b+v1", "v4 web=a+v1 release=m", "v4 web=a+shared worker=b"}).Draw(t, "next"),
		phase:     rapid.SampledFrom([]renga.ReleasePhase{renga.PhaseNone, renga.PhaseBegun, renga.PhasePassed}).Draw(t, "phase"),
		formation: rapid.SampledFrom([]string{"", "web=0", "web=1", "web=2 worker=1", "web=3:eco", "worker=2"}).Draw(t, "formation"),
		restart:   rapid.SampledFrom([]string{"", "", "*", "web", "web.1"}).Draw(t, "restart"),
		away:      rapid.IntRange(0, 9).Draw(t, "away") == 0,
		gone:      rapid.IntRange(0, 19).Draw(t, "gone") == 0,
		starts:    map[string]plan.Attempt{},
	}
	if s.live != "" {
		s.failed = rapid.Bool().Draw(t, "failed")
	}
	name := rapid.SampledFrom([]string{"web.1", "web.2", "web.3", "worker.1", "worker.2", "release.4"})
	version := rapid.IntRange(2, 4)
	for range rapid.IntRange(0, 7).Draw(t, "instances") {
		s.instances = append(s.instances, strings.Join([]string{
			name.Draw(t, "name"), renga.VersionName(version.Draw(t, "version")),
			rapid.SampledFrom([]string{"created", "running", "up", "up", "up", "exited", "running late", "exited late"}).Draw(t, "state"),
			rapid.SampledFrom([]string{"old", "running", "running"}).Draw(t, "age"),
			rapid.SampledFrom([]string{"size=eco", "size=standard-1x", "size=standard-1x"}).Draw(t, "size"),
			rapid.SampledFrom([]string{"crashes=0", "crashes=1", "crashes=5"}).Draw(t, "crashes"),
			rapid.SampledFrom([]string{"code=0", "code=0", "code=1", "recording"}).Draw(t, "code"),
			rapid.SampledFrom([]string{"running", "running", "running", "running", "stopping", "killing"}).Draw(t, "end"),
			rapid.SampledFrom([]string{"running", "running", "disk=v1", "disk=v2"}).Draw(t, "disk"),
		}, " "))
	}
	for range rapid.IntRange(0, 2).Draw(t, "starts") {
		s.starts[plan.StartKey(name.Draw(t, "start"), version.Draw(t, "of"))] = plan.Attempt{
			Busy: rapid.Bool().Draw(t, "busy"), Dyno: "d", Failed: 1, First: now.Add(-time.Minute), Last: now,
			Alone: rapid.SampledFrom([][]string{nil, {"v1"}}).Draw(t, "start's disk"),
			Retry: now.Add(rapid.SampledFrom([]time.Duration{-time.Second, time.Minute}).Draw(t, "retry")),
		}
	}
	w := s.state()
	w.Asked, w.Requested = now, rapid.Bool().Draw(t, "requested")
	if rapid.IntRange(0, 2).Draw(t, "sleeps") == 0 {
		w.Desired.App.SleepAfter, w.IdleSince = time.Minute, now.Add(-rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(t, "idle"))
		w.Desired.AsleepSince = rapid.SampledFrom([]time.Time{{}, now.Add(-time.Second), now.Add(-time.Hour)}).Draw(t, "asleep")
	}
	if next := w.Desired.Next; next != nil && rapid.Bool().Draw(t, "canary") {
		next.Canary = renga.Canary{Percent: 50, For: time.Minute}
		next.Outcome.CanaryUntil = rapid.SampledFrom([]time.Time{{}, now.Add(-time.Second), now.Add(time.Minute)}).Draw(t, "until")
	}
	return w
}

// healthy lists by id the web dynos that answer.
func healthy(w plan.State) map[string]plan.Seen {
	all := map[string]plan.Seen{}
	for _, i := range w.Instances {
		if i.Type == renga.Web && i.State == engine.Running && !i.ReadyAt.IsZero() && !i.Late && !i.Stopping && !i.Killing {
			all[i.ID] = i
		}
	}
	return all
}

// wants tells whether a release is to have web dynos.
func wants(w plan.State, r *renga.ReleaseRecord) bool {
	if r == nil || w.Gone || asleep(w) {
		return false
	}
	_, ok := r.Images[renga.Web]
	return ok && w.Desired.Formation[renga.Web].Quantity > 0
}

// asleep tells whether nothing is wanted until the next request.
func asleep(w plan.State) bool { return w.Desired.Asleep() && !w.Requested && !w.Gone }

func TestPlanNeverDoesHarm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyState(t)
		todo := w.Plan()
		if again := w.Plan(); fmt.Sprint(todo) != fmt.Sprint(again) {
			t.Fatalf("two plans for one state:\n%v\n%v", todo, again)
		}
		checkStops(t, w, todo)
		checkStarts(t, w, todo)
		checkWriters(t, w, todo)
		checkRoute(t, w, todo)
		if after := during(w, todo).Plan(); len(after.Steps) > 0 && !onlyFinish(after.Steps) {
			t.Fatalf("with %v under way it does %v besides", words(todo.Steps), words(after.Steps))
		}
	})
}

// TestWithoutPrebootNothingStartsBesideWhatItReplaces holds for any state in
// which the store answers.
func TestWithoutPrebootNothingStartsBesideWhatItReplaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyState(t)
		w.Away, w.Desired.App.Features = false, map[string]bool{renga.Preboot: false}
		todo := w.Plan()
		checkStarts(t, w, todo)
		checkWriters(t, w, todo)
		for _, step := range todo.Steps {
			s, ok := step.(plan.Start)
			for _, i := range w.Instances {
				if typ, _, _ := renga.ParseDynoName(s.Name); ok && i.State == engine.Running && i.Type == typ && i.Release != s.Release.Version {
					t.Fatalf("starts %s v%d beside %s v%d", s.Name, s.Release.Version, i.Name, i.Release)
				}
			}
		}
		if after := during(w, todo).Plan(); len(after.Steps) > 0 && !onlyFinish(after.Steps) {
			t.Fatalf("with %v under way it does %v besides", words(todo.Steps), words(after.Steps))
		}
	})
}

// checkStops: a wish that is only remembered stops nothing; the last web dyno
// that answers is not stopped as long as one is wanted; zero means none.
func checkStops(t *rapid.T, w plan.State, todo plan.Plan) {
	live, next := w.Desired.Live, w.Desired.Next
	left, stopped := healthy(w), map[string]bool{}
	maps.DeleteFunc(left, func(_ string, i plan.Seen) bool { // a pending release does not serve beside another
		return live != nil && next != nil && i.Release == next.Version
	})
	before := len(left)
	for _, step := range todo.Steps {
		if s, ok := step.(plan.Stop); ok {
			stopped[s.Instance.ID] = true
			delete(left, s.Instance.ID)
		}
		if _, start := step.(plan.Start); w.Away && !start {
			t.Fatalf("with the store away: %v", words(todo.Steps))
		}
	}
	wanted := wants(w, live) && (next == nil || wants(w, next))
	for _, r := range []*renga.ReleaseRecord{live, next} {
		if wanted && r != nil { // what writes alone ends before another does
			wanted = len(renga.Alone(r.Mounts, renga.Web))+len(renga.Alone(r.Mounts, "worker")) == 0
		}
	}
	if wanted && before > 0 && len(left) == 0 && len(todo.Route.Targets) == 0 {
		t.Fatalf("stops the last web dyno: %v", words(todo.Steps))
	}
	if w.Away || !w.Gone && !asleep(w) && len(w.Desired.Formation) > 0 &&
		w.Desired.Formation[renga.Web].Quantity+w.Desired.Formation["worker"].Quantity > 0 {
		return
	}
	for _, i := range w.Instances {
		coming := i.State == engine.Created && w.Starts[plan.StartKey(i.Name, i.Release)].Busy
		if i.Type == renga.ReleaseType && !w.Gone {
			continue // it is left to its end
		}
		if !i.Stopping && !i.Killing && !coming && !stopped[i.ID] {
			t.Fatalf("%s v%d stays: %v", i.Name, i.Release, words(todo.Steps))
		}
	}
}

// checkStarts: only dynos that are wanted, none that is there, none twice.
func checkStarts(t *rapid.T, w plan.State, todo plan.Plan) {
	begun := map[string]bool{}
	for _, step := range todo.Steps {
		s, ok := step.(plan.Start)
		if !ok {
			continue
		}
		key := plan.StartKey(s.Name, s.Release.Version)
		if begun[key] || w.Starts[key].Busy {
			t.Fatalf("starts %s twice", key)
		}
		begun[key] = true
		typ, n, err := renga.ParseDynoName(s.Name)
		if typ == renga.ReleaseType {
			checkPhase(t, w, s)
			continue
		}
		if next := w.Desired.Next; next != nil && s.Release.Version == next.Version && next.HasPhase() &&
			next.Outcome.Phase != renga.PhasePassed {
			t.Fatalf("starts %s before the release command passed", key)
		}
		if scale := w.Desired.Formation[typ]; err != nil || n > scale.Quantity || w.Gone || asleep(w) {
			t.Fatalf("starts %s, which nobody wants", key)
		}
		after := w.Desired.RestartedAfter(s.Name, typ)
		for _, i := range w.Instances {
			same := i.Name == s.Name && i.Release == s.Release.Version && i.Size == s.Size && !i.CreatedAt.Before(after)
			if same && i.State == engine.Running && !i.Stopping {
				t.Fatalf("starts %s, which runs", key)
			}
		}
	}
}

// checkPhase: a release command runs once, for the pending release, and never
// beside another.
func checkPhase(t *rapid.T, w plan.State, s plan.Start) {
	next := w.Desired.Next
	if next == nil || s.Release.Version != next.Version || next.Outcome.Phase != renga.PhaseNone {
		t.Fatalf("starts %s, which is over or nobody's", s.Name)
	}
	for _, i := range w.Instances {
		own := i.Release == next.Version && i.State != engine.Created
		if i.Type == renga.ReleaseType && (own || i.State == engine.Running) {
			t.Fatalf("starts %s beside %s v%d, which is %s", s.Name, i.Name, i.Release, i.State)
		}
	}
}

// checkRoute: only who answers and stays is asked; somebody is, if there is one.
func checkRoute(t *rapid.T, w plan.State, todo plan.Plan) {
	up, live, next := healthy(w), w.Desired.Live, w.Desired.Next
	for _, target := range slices.Concat(todo.Route.Targets, todo.Route.Canary) {
		id := strings.TrimPrefix(target.ID, "dyno-")
		if _, ok := up[id]; !ok || slices.Contains(words(todo.Steps), "stop "+id) {
			t.Fatalf("asks %s, which does not answer or is being stopped", id)
		}
	}
	if (len(todo.Route.Targets) == 0) != (todo.Route.Idle != renga.IdleNone) && !w.Gone {
		t.Fatalf("route %+v", todo.Route)
	}
	serving := 0
	for _, i := range up {
		if live != nil && i.Release == live.Version && len(i.Alone) == 0 { // what writes alone may have to go first
			serving++
		}
	}
	if todo.Route.Idle == renga.IdleAsleep {
		if w.Desired.App.SleepAfter == 0 || w.Requested || next != nil {
			t.Fatalf("it sleeps though it may not: %v", words(todo.Steps))
		}
		return
	}
	alone := live != nil && len(renga.Alone(live.Mounts, renga.Web)) > 0
	if wants(w, live) && (next == nil || wants(w, next)) && serving > 0 && len(todo.Route.Targets) == 0 && !alone {
		t.Fatalf("nobody is asked, and %d could be", serving)
	}
}

func find(w plan.State, id string) *plan.Seen {
	return &w.Instances[slices.IndexFunc(w.Instances, func(i plan.Seen) bool { return i.ID == id })]
}

// during is w while the plan's slow steps are under way.
func during(w plan.State, todo plan.Plan) plan.State {
	starts := map[string]plan.Attempt{}
	for key, a := range w.Starts {
		starts[key] = a
	}
	w.Starts, w.Instances = starts, slices.Clone(w.Instances)
	for _, step := range todo.Steps {
		switch s := step.(type) {
		case plan.Start:
			starts[plan.StartKey(s.Name, s.Release.Version)] = plan.Attempt{
				Busy: true, Alone: renga.Alone(s.Release.Mounts, s.Type),
			}
		case plan.Stop:
			find(w, s.Instance.ID).Stopping = true
		case plan.Kill:
			find(w, s.Instance.ID).Killing = true
		}
	}
	return w
}

// onlyFinish tells whether the steps are done at once, and so never under way.
func onlyFinish(steps []plan.Step) bool {
	return !slices.ContainsFunc(steps, func(s plan.Step) bool {
		_, finish := s.(plan.Finish)
		_, mark := s.(plan.Mark)
		_, asleep := s.(plan.FallAsleep)
		_, awake := s.(plan.WakeUp)
		return !finish && !mark && !asleep && !awake
	})
}

// sim runs plans against an engine in memory, by a clock that it sets.
type sim struct {
	*rapid.T
	now      time.Time
	engine   *enginetest.Memory
	desired  renga.Desired
	outcomes map[int]renga.Outcome
	ready    map[string]time.Time
	late     map[string]bool
	dynos    int
	looks    int
	phases   map[int]int // how often each release's command was started
	served   bool        // somebody has been asked once
	gaps     bool        // there is no preboot, so that nobody may be asked for a while
}

func newSim(t *rapid.T) *sim {
	s := &sim{T: t, now: now, outcomes: map[int]renga.Outcome{},
		desired: renga.Desired{App: renga.App{ID: app, Name: "shop"}, Restarts: map[string]time.Time{}},
		ready:   map[string]time.Time{}, late: map[string]bool{}, phases: map[int]int{}}
	s.engine = enginetest.NewMemory(func() time.Time { return s.now }, map[string]enginetest.Program{
		"good": {Listens: 3 * time.Second}, "crash": {Exits: true, Listens: -1, Code: 1},
		"dies": {Listens: -1, Exits: true, After: 20 * time.Second}, "mute": {Listens: -1},
		"migrate": {Exits: true, After: 4 * time.Second}, "botch": {Exits: true, After: 2 * time.Second, Code: 1}, "hang": {},
	})
	return s
}

// observe is a manager's observing, without its goroutines.
func (s *sim) observe() plan.State {
	d := s.desired
	d.Formation, d.Restarts = maps.Clone(d.Formation), maps.Clone(d.Restarts)
	all, err := s.engine.List(s.Context(), app)
	if err != nil {
		s.Fatal(err)
	}
	w := plan.State{App: app, Desired: d, Domain: "renga.localhost", Now: s.now, Turns: s.now.Add(time.Second), PhaseLimit: 20 * time.Second}
	for _, i := range all {
		switch {
		case i.State != engine.Running || !s.ready[i.ID].IsZero():
		case i.Type == renga.Web && s.engine.Probe(s.Context(), i.Addr) == nil,
			i.Type != renga.Web && !s.now.Before(i.StartedAt.Add(time.Second)):
			s.ready[i.ID] = s.now
		case i.Type == renga.Web && !s.now.Before(i.StartedAt.Add(time.Minute)):
			s.late[i.ID] = true
		}
		w.Instances = append(w.Instances, plan.Seen{Instance: i, ReadyAt: s.ready[i.ID], Late: s.late[i.ID]})
	}
	return w
}

// look does all that a plan says, and reports whether that was anything.
func (s *sim) look() bool {
	s.looks++
	w := s.observe()
	todo := w.Plan()
	s.serve(todo)
	for _, step := range todo.Steps {
		s.do(step)
	}
	s.count()
	return len(todo.Steps) > 0
}

// serve checks that once somebody was asked, somebody always is. No event of
// the simulation takes a healthy dyno away.
func (s *sim) serve(todo plan.Plan) {
	for _, target := range todo.Route.Targets {
		s.served = true
		if err := s.engine.Probe(s.Context(), target.Addr); err != nil {
			s.Fatalf("routed to a dyno that does not listen: %v", err)
		}
	}
	if s.served && !s.gaps && len(todo.Route.Targets) == 0 {
		s.Fatalf("nobody is asked any more: %q, then %v", todo.Route.Idle, words(todo.Steps))
	}
}

func (s *sim) do(step plan.Step) {
	var err error
	switch x := step.(type) {
	case plan.Start:
		s.dynos++
		if x.Type == renga.ReleaseType {
			if s.phases[x.Release.Version]++; s.phases[x.Release.Version] > 1 {
				s.Fatalf("%s was started twice", x.Name)
			}
		}
		_, err = s.engine.Start(s.Context(), engine.Spec{
			App: app, Dyno: fmt.Sprint("d", s.dynos), Name: x.Name, Type: x.Type, Release: x.Release.Version,
			Image: x.Release.Images[x.Type], Size: renga.Size{Name: x.Size}, Port: 8080, Crashes: x.Crashes,
		})
	case plan.Stop:
		err = s.engine.Stop(s.Context(), x.Instance.ID, 0)
	case plan.Kill:
		err = s.engine.Kill(s.Context(), x.Instance.ID)
	case plan.Mark:
		o := renga.Outcome{Status: renga.Pending, Phase: x.Phase}
		if x.Canary.On() {
			o.CanaryUntil = s.now.Add(x.Canary.For)
		}
		err = plantest.SetOutcome(&s.desired, s.outcomes, x.Version, o)
	case plan.Finish:
		err = plantest.SetOutcome(&s.desired, s.outcomes, x.Version, renga.Outcome{Status: x.Status, Phase: x.Phase, Reason: x.Reason})
	}
	if err != nil {
		s.Fatalf("%+v: %v", step, err)
	}
}

// count checks that there are never more of one name and release than the one
// that serves and the one that replaces it, and of those that are alike one.
func (s *sim) count() {
	alike := map[string]int{}
	for _, i := range s.observe().Instances {
		if i.State == engine.Running {
			alike[fmt.Sprint(i.Name, " v", i.Release, i.Size, i.CreatedAt.Before(s.desired.RestartedAfter(i.Name, i.Type)))]++
		}
	}
	for key, n := range alike {
		if n > 1 {
			s.Fatalf("%d of %s", n, key)
		}
	}
}

// happen does something that a user may do.
func (s *sim) happen(version int) {
	d := &s.desired
	switch rapid.IntRange(0, 3).Draw(s.T, "event") {
	case 0:
		d.Next = record(version, rapid.SampledFrom([]string{
			"web=good", "web=good worker=good", "web=crash", "web=dies", "web=mute",
			"web=good release=migrate", "web=good release=botch", "web=good release=hang", "web=crash release=migrate",
		}).Draw(s.T, "images"), renga.Pending)
		if rapid.Bool().Draw(s.T, "canary") {
			d.Next.Canary = renga.Canary{Percent: 50, For: 5 * time.Second}
		}
	case 1:
		d.Formation = formation(rapid.SampledFrom([]string{"web=1", "web=3", "web=2 worker=2", "web=1:eco worker=1"}).Draw(s.T, "scale"))
	case 2:
		d.Restarts[rapid.SampledFrom([]string{"*", "web", "web.1", "worker.1"}).Draw(s.T, "restart")] = s.now
	case 3: // time passes
	}
	for range rapid.IntRange(0, 8).Draw(s.T, "seconds") {
		s.now = s.now.Add(time.Second)
		s.look()
	}
}

func TestEveryWorldComesToRestAndServesMeanwhile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(t)
		s.desired.Live = record(1, "web=good worker=good", renga.Succeeded)
		s.desired.Formation = formation("web=2 worker=1")
		s.gaps = rapid.IntRange(0, 4).Draw(t, "gaps") == 0
		s.desired.App.Features = map[string]bool{renga.Preboot: !s.gaps}
		for n := range rapid.IntRange(1, 10).Draw(t, "events") {
			s.happen(n + 2)
		}
		idle := 0
		for bound := s.looks + 200; idle < 70; s.now = s.now.Add(time.Second) { // longer than anything takes
			if s.looks > bound {
				t.Fatal("it does not come to rest")
			}
			idle++
			if s.look() {
				idle = 0
			}
		}
		s.rested()
	})
}

// rested checks that exactly what is wanted runs, and nothing is left.
func (s *sim) rested() {
	d := s.desired
	if d.Next != nil {
		s.Fatalf("v%d is still pending", d.Next.Version)
	}
	var want, got []string
	for typ, scale := range d.Formation {
		for n := range scale.Quantity {
			if _, ok := d.Live.Images[typ]; ok {
				want = append(want, plan.StartKey(renga.DynoName(typ, n+1), d.Live.Version))
			}
		}
	}
	for _, i := range s.observe().Instances {
		got = append(got, plan.StartKey(i.Name, i.Release))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		s.Fatalf("there is %q; want %q", got, want)
	}
}
