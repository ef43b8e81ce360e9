package plan_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/plan"
	"renga/runtime/plan/plantest"
)

// diskSim runs plans against an engine of which every call takes its time, part by
// part and in any order, by a Renga that may be killed between any two of them.
type diskSim struct {
	*rapid.T
	now      time.Time
	desired  renga.Desired
	outcomes map[int]renga.Outcome
	away     bool
	boxes    []*box                  // the containers, which outlive Renga
	starts   map[string]plan.Attempt // what this Renga knows
	ending   map[*box]bool           // and ends
	calls    []*call                 // what is under way
	ids      int
}

// box is a container.
type box struct {
	engine.Instance
	ready bool
}

// call is a start or a stop with the parts that it has left. Each may be the last
// that Renga lives to see; asked says that the engine does it all the same.
type call struct {
	key   string // of a start
	box   *box   // once it was made
	make  func() *box
	parts []string
	asked bool
}

func (s *diskSim) state() plan.State {
	st := plan.State{App: app, Desired: s.desired, Away: s.away, Now: s.now, PhaseLimit: time.Hour, Starts: maps.Clone(s.starts)}
	for _, b := range s.boxes {
		seen := plan.Seen{Instance: b.Instance, Stopping: s.ending[b]}
		if b.ready {
			seen.ReadyAt = b.StartedAt
		}
		st.Instances = append(st.Instances, seen)
	}
	return st
}

// look does what a manager's look does, and tells whether that was anything.
func (s *diskSim) look() bool {
	st := s.state()
	for key, a := range s.starts { // as the manager's prune does
		if !st.Wants(key) && !a.Busy {
			delete(s.starts, key)
		}
	}
	steps := st.Plan().Steps
	for _, step := range steps {
		s.do(step)
	}
	return len(steps) > 0
}

func (s *diskSim) do(step plan.Step) {
	switch x := step.(type) {
	case plan.Start:
		s.ids++
		alone := renga.Alone(x.Release.Mounts, x.Type)
		made := &box{Instance: engine.Instance{
			ID: "i" + time.Duration(s.ids).String(), App: app, Name: x.Name, Type: x.Type, Release: x.Release.Version,
			Size: x.Size, Crashes: x.Crashes, Alone: alone, State: engine.Created, Command: x.Release.Images[x.Type].Command,
		}}
		key := plan.StartKey(x.Name, x.Release.Version)
		s.starts[key] = plan.Attempt{Busy: true, Alone: alone, Since: s.now}
		s.calls = append(s.calls, &call{key: key, parts: []string{"make", "ask", "run", "tell"}, make: func() *box { return made }})
	case plan.Stop:
		b := s.boxes[slices.IndexFunc(s.boxes, func(b *box) bool { return b.ID == x.Instance.ID })]
		s.ending[b] = true
		s.calls = append(s.calls, &call{box: b, parts: []string{"ask", "end", "remove", "tell"}})
	case plan.Mark:
		s.outcome(x.Version, renga.Outcome{Status: renga.Pending, CanaryUntil: s.now.Add(x.Canary.For)})
	case plan.Finish:
		s.outcome(x.Version, renga.Outcome{Status: x.Status, Phase: x.Phase, Reason: x.Reason})
	}
}

func (s *diskSim) outcome(version int, o renga.Outcome) {
	if err := plantest.SetOutcome(&s.desired, s.outcomes, version, o); err != nil {
		s.Fatal(err)
	}
}

// advance does the next part of a call.
func (s *diskSim) advance(c *call) {
	part := c.parts[0]
	c.parts = c.parts[1:]
	switch part {
	case "make":
		c.box = c.make()
		c.box.CreatedAt = s.now
		s.boxes = append(s.boxes, c.box)
	case "ask":
		c.asked = true
	case "run":
		if slices.Contains(s.boxes, c.box) { // nobody removed it
			c.box.State, c.box.StartedAt = engine.Running, s.now
		}
	case "end":
		s.exit(c.box)
	case "remove":
		s.boxes = slices.DeleteFunc(s.boxes, func(b *box) bool { return b == c.box })
	case "tell":
		delete(s.starts, c.key)
		delete(s.ending, c.box)
	}
	if len(c.parts) == 0 {
		s.calls = slices.DeleteFunc(s.calls, func(o *call) bool { return o == c })
	}
}

func (s *diskSim) exit(b *box) {
	if b.State == engine.Running {
		b.State, b.FinishedAt, b.ready = engine.Exited, s.now, false
	}
}

// kill has Renga forget all; the engine does what it was asked for. What it was
// asked to remove it may not have been asked yet.
func (s *diskSim) kill() {
	s.starts, s.ending = map[string]plan.Attempt{}, map[*box]bool{}
	for _, c := range slices.Clone(s.calls) {
		c.parts = slices.DeleteFunc(c.parts, func(part string) bool { return part != "run" && part != "end" })
		if !c.asked || len(c.parts) == 0 {
			s.calls = slices.DeleteFunc(s.calls, func(o *call) bool { return o == c })
		}
	}
}

// happen does one thing out of all that may happen.
func (s *diskSim) happen(version *int) {
	what := rapid.SampledFrom([]string{
		"look", "look", "look", "call", "call", "call", "call", "call", "up", "up", "crash", "kill", "away",
		"release", "restart", "scale", "time",
	}).Draw(s.T, "what")
	switch what {
	case "look":
		s.look()
	case "call":
		if len(s.calls) > 0 {
			s.advance(rapid.SampledFrom(s.calls).Draw(s.T, "call"))
		}
	case "up", "crash":
		for _, b := range s.boxes {
			if b.State == engine.Running && rapid.Bool().Draw(s.T, "which") {
				if b.ready = what == "up" && b.Command[0] != "bad"; what == "crash" || b.Command[0] == "bad" {
					s.exit(b)
				}
			}
		}
	case "kill":
		s.kill()
	case "away":
		s.away = !s.away
	case "release":
		*version++
		s.desired.Next = record(*version, rapid.SampledFrom([]string{
			"web=a+v1", "web=b+v1 worker=b", "web=a worker=a+v1", "web=a+v1 worker=b+v2", "web=a+v2 worker=b+v1", "web=a worker=b",
			"web=bad+v1", "web=bad worker=a+v1", "web=a+v1 worker=bad",
		}).Draw(s.T, "images"), renga.Pending)
		if rapid.Bool().Draw(s.T, "canary") {
			s.desired.Next.Canary = renga.Canary{Percent: 50, For: time.Minute}
		}
	case "restart":
		s.desired.Restarts[rapid.SampledFrom([]string{"*", "web", "worker.1"}).Draw(s.T, "restart")] = s.now
	case "scale":
		s.desired.Formation = formation(rapid.SampledFrom([]string{
			"web=1 worker=1", "web=2:eco worker=1", "web=1", "web=0 worker=3",
		}).Draw(s.T, "scale"))
	case "time":
		s.now = s.now.Add(rapid.SampledFrom([]time.Duration{time.Second, time.Minute}).Draw(s.T, "time"))
	}
	s.oneWriter(what)
}

// oneWriter is what all of this is for.
func (s *diskSim) oneWriter(after string) {
	writers := map[string]*box{}
	for _, b := range s.boxes {
		for _, volume := range b.Alone {
			if other := writers[volume]; other != nil && b.State == engine.Running {
				s.Fatalf("after %s %s v%d (%s) and %s v%d (%s) write to %s", after,
					b.Name, b.Release, b.ID, other.Name, other.Release, other.ID, volume)
			}
			if b.State == engine.Running {
				writers[volume] = b
			}
		}
	}
}

// rest lets everything that is good come up, and nothing go wrong any more.
func (s *diskSim) rest() {
	s.away = false
	for range 300 {
		s.now = s.now.Add(30 * time.Second)
		busy := s.look() || len(s.calls) > 0
		for len(s.calls) > 0 {
			s.advance(s.calls[0])
			s.oneWriter("a call")
		}
		for _, b := range s.boxes {
			if b.State == engine.Running && b.Command[0] == "bad" {
				s.exit(b)
			}
			if b.State == engine.Running && !b.ready {
				b.ready, busy = true, true
			}
		}
		if d := s.desired; !busy && d.Next == nil {
			return
		}
	}
	s.Fatalf("it does not come to rest: %v", words(s.state().Plan().Steps))
}

// TestNoTwoWriteOneDiskWhateverHappens, in which order it may, and in the end what
// is wanted runs.
func TestNoTwoWriteOneDiskWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &diskSim{
			T: t, now: now, outcomes: map[int]renga.Outcome{}, starts: map[string]plan.Attempt{}, ending: map[*box]bool{},
			desired: renga.Desired{
				App: renga.App{ID: app, Name: "shop", Features: map[string]bool{
					renga.Preboot: rapid.Bool().Draw(t, "preboot"),
				}},
				Live: record(1, "web=a+v1 worker=a", renga.Succeeded), Restarts: map[string]time.Time{}, Formation: formation("web=1 worker=1"),
			},
		}
		version := 1
		for range rapid.IntRange(1, 120).Draw(t, "events") {
			s.happen(&version)
		}
		s.rest()
		s.desired.Next = record(version+1, "web=good+v1 worker=good+v2", renga.Pending)
		s.rest()
		for typ, scale := range s.desired.Formation {
			up := slices.ContainsFunc(s.boxes, func(b *box) bool { return b.Type == typ && b.ready && b.Release == version+1 })
			if up != (scale.Quantity > 0) {
				t.Fatalf("%s: up %v; %d wanted", typ, up, scale.Quantity)
			}
		}
	})
}
