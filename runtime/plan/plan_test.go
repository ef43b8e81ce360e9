package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/plan"
)

// now is when the plans of the tests are made.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// situation is a state in words. Releases are like "v2 web=serve"; instances
// like "web.1 v2 up", with the words: created, running, up, late, exited,
// stopping, killing, size=NAME, disk=VOLUME that it writes alone, crashes=N, old (made an hour ago, not now), and
// long (it ran for that hour), code=N, oom, recording, attached, held,
// until=SECONDS from now.
type situation struct {
	live, next string
	failed     bool               // the live release's outcome
	phase      renga.ReleasePhase // of the next release
	formation  string
	restart    string // a dyno, type or *, a minute ago
	instances  []string
	starts     map[string]plan.Attempt
	gone, away bool
	noPreboot  bool
}

func (s situation) state() plan.State {
	w := plan.State{
		App: app, Domain: "renga.localhost", Now: now, Gone: s.gone, Away: s.away, Starts: s.starts,
		PhaseLimit: 10 * time.Minute,
		Desired: renga.Desired{
			App: renga.App{ID: app, Name: "shop"}, Formation: formation(s.formation),
			Live: release(s.live, renga.Succeeded), Next: release(s.next, renga.Pending),
			Restarts: map[string]time.Time{},
		},
	}
	if w.Desired.Next != nil {
		w.Desired.Next.Outcome.Phase = s.phase
	}
	if s.failed {
		w.Desired.Live.Outcome.Status = renga.Failed
	}
	if s.noPreboot {
		w.Desired.App.Features = map[string]bool{renga.Preboot: false}
	}
	if s.restart != "" {
		w.Desired.Restarts[s.restart] = now.Add(-time.Minute)
	}
	for n, words := range s.instances {
		w.Instances = append(w.Instances, seen(fmt.Sprintf("i%d", n+1), words))
	}
	return w
}

func release(words string, status renga.ReleaseStatus) *renga.ReleaseRecord {
	if words == "" {
		return nil
	}
	name, what, _ := strings.Cut(words, " ")
	return record(number(name, "v"), what, status)
}

func number(word, prefix string) (n int) {
	if _, err := fmt.Sscanf(word, prefix+"%d", &n); err != nil {
		panic(err)
	}
	return n
}

func seen(id, words string) plan.Seen {
	parts := strings.Fields(words)
	typ, _, err := renga.ParseDynoName(parts[0])
	if err != nil {
		panic(err)
	}
	made := now.Add(-30 * time.Second)
	if slices.Contains(parts, "old") {
		made = now.Add(-time.Hour)
	}
	s := plan.Seen{Instance: engine.Instance{
		ID: id, Dyno: "dyno-" + id, App: app, Name: parts[0], Type: typ, Release: number(parts[1], "v"),
		Size: renga.DefaultSize, State: engine.Running, CreatedAt: made, StartedAt: made, Addr: id + ":8080",
	}}
	for _, word := range parts[2:] {
		switch key, value, _ := strings.Cut(word, "="); key {
		case "created":
			s.State = engine.Created
		case "up":
			s.ReadyAt = made
		case "late":
			s.Late, s.Reason = true, "R10"
		case "exited":
			s.State, s.FinishedAt, s.Reason = engine.Exited, made.Add(time.Second), "Process exited with status 1"
		case "code":
			s.ExitCode = number(value, "")
		case "oom":
			s.OOMKilled = true
		case "attached":
			s.Attached = true
		case "held":
			s.Reserved = true
		case "until":
			s.Until = now.Add(time.Duration(number(value, "")) * time.Second)
		case "recording":
			s.Recording = true
		case "long":
			s.FinishedAt = now
		case "stopping":
			s.Stopping = true
		case "killing":
			s.Killing = true
		case "size":
			s.Size = value
		case "disk":
			s.Alone = []string{value}
		case "crashes":
			s.Crashes = number(value, "")
		case "running", "old":
		default:
			panic(word)
		}
	}
	return s
}

// words puts a plan's steps into words.
func words(steps []plan.Step) []string {
	var all []string
	for _, step := range steps {
		switch s := step.(type) {
		case plan.Start:
			word := "start " + plan.StartKey(s.Name, s.Release.Version)
			if s.Crashes > 0 {
				word += fmt.Sprintf(" crashes=%d", s.Crashes)
			}
			all = append(all, word)
		case plan.Kill:
			all = append(all, "kill "+s.Instance.ID)
		case plan.Stop:
			all = append(all, "stop "+s.Instance.ID)
		case plan.Mark:
			all = append(all, fmt.Sprintf("mark v%d %s", s.Version, s.Phase))
		case plan.Finish:
			all = append(all, fmt.Sprintf("finish v%d %s", s.Version, s.Status))
		case plan.FallAsleep:
			all = append(all, "fall asleep")
		case plan.WakeUp:
			all = append(all, "wake up")
		}
	}
	return all
}

// asked is who a route asks, or why nobody.
func asked(r renga.Route) string {
	var all []string
	for _, t := range r.Targets {
		all = append(all, strings.TrimPrefix(t.ID, "dyno-"))
	}
	return strings.Join(append(all, string(r.Idle)), " ")
}

func TestPlan(t *testing.T) {
	busy := func(key string) map[string]plan.Attempt {
		return map[string]plan.Attempt{key: {Busy: true, Since: now}}
	}
	for _, c := range []struct {
		name  string
		given situation
		steps string // comma between
		route string
		again time.Duration // from now; 0 for never
	}{
		{"nothing there is blank", situation{}, "", "blank", 0},
		{"missing dynos are started, web first", situation{live: "v2 web=a worker=b", formation: "worker=1 web=2"},
			"start web.1 v2,start web.2 v2,start worker.1 v2", "starting", 0},
		{"a type without an image is left out", situation{live: "v2 web=a", formation: "web=1 clock=1",
			instances: []string{"web.1 v2 up"}}, "", "i1 ", 0},
		{"a start under way is not repeated", situation{live: "v2 web=a", formation: "web=1", starts: busy("web.1 v2")}, "", "starting", 0},
		{"an instance of a start under way is left alone",
			situation{live: "v2 web=a", formation: "web=1", starts: busy("web.1 v2"), instances: []string{"web.1 v2 created"}}, "", "starting", 0},
		{"one made and never started is replaced",
			situation{live: "v2 web=a", formation: "web=1", instances: []string{"web.1 v2 created"}}, "start web.1 v2,stop i1", "starting", 0},
		{"all up is rest", situation{live: "v2 web=a", formation: "web=2", instances: []string{"web.1 v2 up", "web.2 v2 up"}}, "", "i1 i2 ", 0},
		{"web.2 comes before web.10", situation{live: "v2 web=a", formation: "web=1",
			instances: []string{"web.1 v2 running", "web.10 v2 up", "web.2 v2 up"}},
			"stop i2", "i3 ", 0},

		{"the first crash is met at once", situation{live: "v2 web=a", formation: "web=1", instances: []string{"web.1 v2 exited"}},
			"start web.1 v2 crashes=1", "starting", 0},
		{"the fourth after twenty seconds", situation{live: "v2 web=a", formation: "web=1", instances: []string{"web.1 v2 exited crashes=4"}},
			"", "crashed", 11 * time.Second}, // it ended 29 s ago, after 40 s
		{"one that ran for long crashed for the first time", situation{live: "v2 web=a", formation: "web=1",
			instances: []string{"web.1 v2 exited crashes=9 old long"}},
			"start web.1 v2 crashes=1", "starting", 0},
		{"the crashed one goes when another is there", situation{live: "v2 web=a", formation: "web=1",
			instances: []string{"web.1 v2 exited", "web.1 v2 running crashes=1"}},
			"stop i1", "starting", 0},
		{"of two crashed ones the older goes", situation{live: "v2 web=a", formation: "web=1",
			instances: []string{"web.1 v2 exited old", "web.1 v2 exited crashes=4"}},
			"stop i1", "crashed", 11 * time.Second},
		{"a late one is killed", situation{live: "v2 web=a", formation: "web=1",
			instances: []string{"web.1 v2 running late"}}, "kill i1", "starting", 0},
		{"and only once", situation{live: "v2 web=a", formation: "web=1",
			instances: []string{"web.1 v2 running late killing"}}, "", "starting", 0},
		{"of two for one slot one goes", situation{live: "v2 web=a", formation: "web=1",
			instances: []string{"web.1 v2 up old", "web.1 v2 running"}}, "stop i2", "i1 ", 0},

		{"dynos over the quantity go", situation{live: "v2 web=a", formation: "web=1", instances: []string{"web.1 v2 up",
			"web.2 v2 up"}}, "stop i2", "i1 ", 0},
		{"but not the last one that answers", situation{live: "v2 web=a", formation: "web=1",
			instances: []string{"web.1 v2 running", "web.2 v2 up", "web.3 v2 up"}},
			"stop i3", "i2 ", 0},
		{"to zero all go", situation{live: "v2 web=a", formation: "web=0", instances: []string{"web.1 v2 up"}}, "stop i1", "scaled", 0},
		{"one that is being stopped is not stopped again", situation{live: "v2 web=a", formation: "web=0",
			instances: []string{"web.1 v2 up stopping"}}, "", "scaled", 0},

		{"after a restart the new one starts beside the old", situation{live: "v2 web=a", formation: "web=1",
			restart: "web", instances: []string{"web.1 v2 up old"}},
			"start web.1 v2", "i1 ", 0},
		{"the old serves until it is up", situation{live: "v2 web=a", formation: "web=1", restart: "*",
			instances: []string{"web.1 v2 up old", "web.1 v2 running"}},
			"", "i1 ", 0},
		{"and goes then", situation{live: "v2 web=a", formation: "web=1", restart: "web.1",
			instances: []string{"web.1 v2 up old", "web.1 v2 up"}},
			"stop i1", "i2 ", 0},
		{"another dyno's restart is none of its", situation{live: "v2 web=a", formation: "web=1", restart: "web.2",
			instances: []string{"web.1 v2 up old"}}, "", "i1 ", 0},
		{"a new size is a new dyno", situation{live: "v2 worker=a", formation: "worker=1:eco", instances: []string{"worker.1 v2 up"}},
			"start worker.1 v2", "scaled", 0},

		{"a next release starts beside the live one", situation{live: "v2 web=a", next: "v3 web=b", formation: "web=1",
			instances: []string{"web.1 v2 up"}},
			"start web.1 v3", "i1 ", 0},
		{"it is not routed to before all of it is up", situation{live: "v2 web=a", next: "v3 web=b", formation: "web=2",
			instances: []string{"web.1 v2 up", "web.2 v2 up", "web.1 v3 up", "web.2 v3 running"}}, "", "i1 i2 ", 0},
		{"it is finished when it is, and not routed to before that is written down", situation{live: "v2 web=a",
			next: "v3 web=b", formation: "web=1",
			instances: []string{"web.1 v2 up", "web.1 v3 up"}}, "finish v3 succeeded", "i1 ", 0},
		{"it is routed to at once when nothing can be written down", situation{away: true, live: "v2 web=a", next: "v3 web=b", formation: "web=1",
			instances: []string{"web.1 v2 up", "web.1 v3 up"}}, "", "i2 ", 0},
		{"once it is live the old go", situation{live: "v3 web=b", formation: "web=1", instances: []string{"web.1 v2 up",
			"web.1 v3 up"}}, "stop i1", "i2 ", 0},
		{"meanwhile the live one's crashes are met", situation{live: "v2 web=a", next: "v3 web=b", formation: "web=1",
			instances: []string{"web.1 v2 exited", "web.1 v3 running"}}, "start web.1 v2 crashes=1", "starting", 0},
		{"and it is not rolled", situation{live: "v2 web=a", next: "v3 web=b", formation: "web=1:eco", restart: "*",
			instances: []string{"web.1 v2 up old", "web.1 v3 running size=eco"}}, "", "i1 ", 0},
		{"one crash is forgiven", situation{live: "v2 web=a", next: "v3 web=b", formation: "web=1",
			instances: []string{"web.1 v2 up", "web.1 v3 exited"}},
			"start web.1 v3 crashes=1", "i1 ", 0},
		{"two in a row are not", situation{live: "v2 web=a", next: "v3 web=b", formation: "web=1",
			instances: []string{"web.1 v2 up", "web.1 v3 exited crashes=1"}},
			"finish v3 failed", "i1 ", 0},
		{"nor are a worker's", situation{live: "v2 web=a", next: "v3 web=b worker=c", formation: "web=1 worker=1",
			instances: []string{"web.1 v2 up", "web.1 v3 up", "worker.1 v3 exited crashes=1"}}, "finish v3 failed", "i1 ", 0},
		{"nor is R10", situation{live: "v2 web=a", next: "v3 web=b", formation: "web=1", instances: []string{"web.1 v2 up",
			"web.1 v3 running late"}},
			"finish v3 failed", "i1 ", 0},
		{"once it failed its dynos go", situation{live: "v2 web=a", formation: "web=1", instances: []string{"web.1 v2 up",
			"web.1 v3 up", "web.1 v3 exited"}},
			"stop i2,stop i3", "i1 ", 0},
		{"dynos of a superseded release go", situation{live: "v2 web=a", next: "v4 web=b", formation: "web=1",
			instances: []string{"web.1 v2 up", "web.1 v3 up", "web.1 v4 running"}}, "stop i2", "i1 ", 0},
		{"of two restarts in a row the one in between goes", situation{live: "v2 web=a", formation: "web=1", restart: "*",
			instances: []string{"web.1 v2 up old", "web.1 v2 running old", "web.1 v2 running"}}, "stop i2", "i1 ", 0},
		{"unless none else answers", situation{next: "v4 web=b", formation: "web=1", instances: []string{"web.1 v3 up",
			"web.1 v4 running"}}, "", "i1 ", 0},
		{"a first release is live and next at once", situation{live: "v2 web=a", next: "v2 web=a", formation: "web=1",
			instances: []string{"web.1 v2 up"}},
			"finish v2 succeeded", "i1 ", 0},
		{"a release without dynos succeeds at once", situation{next: "v1 ", formation: ""}, "finish v1 succeeded", "blank", 0},
		{"a failed one with nothing better may succeed yet", situation{live: "v2 web=a", failed: true, formation: "web=1",
			instances: []string{"web.1 v2 up"}},
			"finish v2 succeeded", "i1 ", 0},
		{"web is gone with its image", situation{live: "v3 worker=b", formation: "web=1 worker=1",
			instances: []string{"web.1 v2 up", "worker.1 v3 up"}},
			"stop i1", "scaled", 0},

		{"a release command starts alone", situation{live: "v2 web=a", next: "v3 web=b release=m",
			formation: "web=1 release=1", instances: []string{"web.1 v2 up"}},
			"start release.3 v3", "i1 ", 0},
		{"of a first release, too", situation{next: "v2 web=b release=m", formation: "web=1"}, "start release.2 v2", "starting", 0},
		{"it is not started twice", situation{next: "v3 web=b release=m", formation: "web=1", starts: busy("release.3 v3"),
			instances: []string{"release.3 v3 created"}},
			"", "starting", 0},
		{"one made and never started goes first", situation{next: "v3 web=b release=m", formation: "web=1",
			instances: []string{"release.3 v3 created"}},
			"stop i1", "starting", 0},
		{"that it began is noted, and its end awaited", situation{live: "v2 web=a", next: "v3 web=b release=m",
			formation: "web=1", instances: []string{"web.1 v2 up", "release.3 v3 running"}},
			"mark v3 begun", "i1 ", 9*time.Minute + 30*time.Second},
		{"its output is awaited, too", situation{next: "v3 web=b release=m", phase: renga.PhaseBegun, formation: "web=1",
			instances: []string{"release.3 v3 exited recording"}},
			"", "starting", 0},
		{"a good end is noted", situation{next: "v3 web=b release=m", phase: renga.PhaseBegun, formation: "web=1",
			instances: []string{"release.3 v3 exited"}},
			"mark v3 passed", "starting", 0},
		{"and lets the release go on", situation{live: "v2 web=a", next: "v3 web=b release=m", phase: renga.PhasePassed,
			formation: "web=1", instances: []string{"web.1 v2 up", "release.3 v3 exited"}},
			"start web.1 v3", "i1 ", 0},
		{"even when nobody knows of the dyno any more", situation{live: "v2 web=a", next: "v3 web=b release=m",
			phase: renga.PhasePassed, formation: "web=1", instances: []string{"web.1 v2 up"}},
			"start web.1 v3", "i1 ", 0},
		{"a bad end fails it", situation{live: "v2 web=a", next: "v3 web=b release=m", phase: renga.PhaseBegun,
			formation: "web=1", instances: []string{"web.1 v2 up", "release.3 v3 exited code=2"}},
			"finish v3 failed", "i1 ", 0},
		{"and so does one without memory", situation{next: "v3 web=b release=m", phase: renga.PhaseBegun,
			formation: "web=1", instances: []string{"release.3 v3 exited oom"}},
			"finish v3 failed", "starting", 0},
		{"and too long a time, which ends it", situation{next: "v3 web=b release=m", phase: renga.PhaseBegun,
			formation: "web=1", instances: []string{"release.3 v3 running old"}},
			"finish v3 failed,stop i1", "starting", 0},
		{"and a stop", situation{next: "v3 web=b release=m", phase: renga.PhaseBegun, formation: "web=1",
			restart: "release.3", instances: []string{"release.3 v3 running old"}},
			"finish v3 failed,stop i1", "starting", 0},
		{"and a dyno that is gone: it is not run again", situation{next: "v3 web=b release=m", phase: renga.PhaseBegun, formation: "web=1"},
			"finish v3 failed", "starting", 0},
		{"a release without dynos waits for its command", situation{live: "v2 web=a", next: "v3 web=b release=m",
			formation: "web=0"}, "start release.3 v3", "scaled", 0},
		{"a command that cannot start fails it", situation{next: "v3 web=b release=m", formation: "web=1",
			starts: map[string]plan.Attempt{"release.3 v3": {Failed: 1, Never: true}}}, "finish v3 failed", "starting", 0},
		{"the command of a superseded release ends first", situation{live: "v2 web=a", next: "v4 web=b release=m", formation: "web=1",
			instances: []string{"web.1 v2 up", "release.3 v3 running"}}, "", "i1 ", 9*time.Minute + 30*time.Second},
		{"and then goes", situation{live: "v2 web=a", next: "v4 web=b release=m", formation: "web=1",
			instances: []string{"web.1 v2 up", "release.3 v3 exited"}}, "start release.4 v4,stop i2", "i1 ", 0},
		{"once its release is finished it goes", situation{live: "v3 web=b release=m", formation: "web=1",
			instances: []string{"web.1 v3 up", "release.3 v3 exited"}},
			"stop i2", "i1 ", 0},
		{"a restart of all is none of its", situation{live: "v2 web=a", next: "v3 web=b release=m", phase: renga.PhaseBegun,
			formation: "web=1", restart: "*",
			instances: []string{"web.1 v2 up", "release.3 v3 running"}}, "", "i1 ", 9*time.Minute + 30*time.Second},

		{"without preboot the old go first", situation{noPreboot: true, live: "v2 web=a", next: "v3 web=b",
			formation: "web=1", instances: []string{"web.1 v2 up"}},
			"stop i1", "starting", 0},
		{"and the new wait until they are gone", situation{noPreboot: true, live: "v2 web=a worker=b",
			next: "v3 web=b worker=c", formation: "web=1 worker=1",
			instances: []string{"web.1 v2 up stopping", "worker.1 v2 exited"}}, "start worker.1 v3,stop i2", "starting", 0},
		{"then they start", situation{noPreboot: true, live: "v2 web=a", next: "v3 web=b", formation: "web=2",
			instances: []string{"web.1 v2 exited"}},
			"start web.1 v3,start web.2 v3,stop i1", "starting", 0},
		{"and the first that is up is asked", situation{noPreboot: true, live: "v2 web=a", next: "v3 web=b", formation: "web=2",
			instances: []string{"web.1 v3 up", "web.2 v3 running"}}, "", "i1 ", 0},
		{"when they fail the old come back", situation{noPreboot: true, live: "v2 web=a", formation: "web=1",
			instances: []string{"web.1 v3 exited crashes=1"}},
			"start web.1 v2,stop i1", "starting", 0},
		{"without preboot a restart stops first", situation{noPreboot: true, live: "v2 web=a", formation: "web=2", restart: "web.1",
			instances: []string{"web.1 v2 up old", "web.2 v2 up"}}, "stop i1", "i2 ", 0},
		{"without preboot a release command runs beside the old", situation{noPreboot: true, live: "v2 web=a",
			next: "v3 web=b release=m", formation: "web=1",
			instances: []string{"web.1 v2 up"}}, "start release.3 v3", "i1 ", 0},
		{"which go when it passed", situation{noPreboot: true, live: "v2 web=a", next: "v3 web=b release=m",
			phase: renga.PhasePassed, formation: "web=1",
			instances: []string{"web.1 v2 up", "release.3 v3 exited"}}, "stop i1", "starting", 0},
		{"with the store away nothing waits", situation{noPreboot: true, away: true, live: "v2 web=a", next: "v3 web=b", formation: "web=1",
			instances: []string{"web.1 v2 up"}}, "", "i1 ", 0},
		{"a detached one-off runs, and goes when it has ended", situation{live: "v2 web=a", formation: "web=0",
			instances: []string{"run.1234 v2 running", "run.1235 v1 exited"}},
			"stop i2", "scaled", 0},
		{"an attached one goes with whoever holds it", situation{live: "v2 web=a", formation: "web=0", instances: []string{
			"run.1 v2 running attached held", "run.2 v2 running attached", "run.3 v2 created attached held",
			"run.4 v2 created attached", "run.5 v2 exited attached held"}},
			"stop i2,stop i4", "scaled", 0},
		{"none outlives its time", situation{live: "v2 web=a", formation: "web=0",
			instances: []string{"run.1 v2 running until=0", "run.2 v2 running attached held until=60"}},
			"stop i1", "scaled", time.Minute},
		{"one is stopped by its name, and not by a restart of all", situation{live: "v2 web=a", formation: "web=0", restart: "run.1",
			instances: []string{"run.1 v2 running old", "run.2 v2 running old"}}, "stop i1", "scaled", 0},
		{"all go with the app", situation{gone: true, instances: []string{"run.1 v2 running attached held"}}, "stop i1", "", 0},

		{"with the store away crashes are met", situation{away: true, live: "v2 web=a", formation: "web=1",
			instances: []string{"web.1 v2 exited", "web.2 v2 up"}},
			"start web.1 v2 crashes=1", "i2 ", 0},
		{"and nothing else", situation{away: true, live: "v2 web=a", next: "v3 web=b", formation: "web=2:eco", restart: "*",
			instances: []string{"web.1 v2 up old", "web.1 v3 exited crashes=3", "worker.1 v1 running", "web.2 v2 running late"}}, "", "i1 ", 0},
		{"an app that is gone leaves nothing", situation{gone: true, instances: []string{"web.1 v2 up",
			"worker.1 v2 exited"}}, "stop i1,stop i2", "", 0},
		{"a start that went wrong waits", situation{live: "v2 web=a", formation: "web=1",
			starts: map[string]plan.Attempt{"web.1 v2": {Failed: 1, Last: now, Retry: now.Add(time.Second)}}}, "", "crashed", time.Second},
		{"a restart ends that", situation{live: "v2 web=a", formation: "web=1", restart: "web.1",
			starts: map[string]plan.Attempt{"web.1 v2": {Failed: 9, Last: now.Add(-time.Hour),
				Retry: now.Add(time.Hour)}}}, "start web.1 v2", "starting", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.given.state().Plan()
			if s := strings.Join(words(got.Steps), ","); s != c.steps {
				t.Errorf("steps %q; want %q", s, c.steps)
			}
			if r := asked(got.Route); r != c.route {
				t.Errorf("route %q; want %q", r, c.route)
			}
			var again time.Duration
			if !got.Again.IsZero() {
				again = got.Again.Sub(now)
			}
			if again != c.again {
				t.Errorf("again after %v; want %v", again, c.again)
			}
		})
	}
}

func TestRouteHasTheDefaultHostAndTheDomains(t *testing.T) {
	w := situation{live: "v2 web=a", formation: "web=1"}.state()
	w.Desired.Hosts = []string{"WWW.Example.com"}
	w.Desired.App.Maintenance = true
	r := w.Plan().Route
	is(t, "hosts", r.Hosts, "shop.renga.localhost", "www.example.com")
	if !r.Maintenance || r.Name != "shop" || r.App != app {
		t.Errorf("route: %+v", r)
	}
}

func TestDynosShowWhatIsFresh(t *testing.T) {
	for _, c := range []struct {
		name  string
		given situation
		want  string
	}{
		{"the live release's while another comes", situation{live: "v2 web=a", next: "v3 web=b worker=c", formation: "web=1 worker=1",
			instances: []string{"web.1 v3 up", "web.1 v2 up", "worker.1 v3 running"}}, "web.1 v2 up,worker.1 v3 starting"},
		{"the new one during a restart", situation{live: "v2 web=a", formation: "web=1", restart: "*",
			instances: []string{"web.1 v2 up old", "web.1 v2 running"}}, "web.1 v2 starting"},
		{"the old one before there is a new", situation{live: "v2 web=a", formation: "web=1", restart: "*",
			instances: []string{"web.1 v2 up old"}}, "web.1 v2 up"},
		{"a crash", situation{live: "v2 web=a", formation: "web=1", instances: []string{"web.1 v2 exited"}}, "web.1 v2 crashed"},
		{"a start under way", situation{live: "v2 web=a", formation: "web=1", starts: map[string]plan.Attempt{"web.1 v2": {Busy: true}},
			instances: []string{"web.1 v2 exited"}}, "web.1 v2 starting"},
		{"a release command while it runs", situation{live: "v2 web=a", next: "v3 web=b release=m", formation: "web=1",
			instances: []string{"web.1 v2 up", "release.3 v3 running", "release.2 v2 exited"}}, "web.1 v2 up,release.3 v3 up"},
		{"what is left of an app that goes", situation{gone: true, instances: []string{"web.1 v2 up"}}, "web.1 v2 down"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range c.given.state().Dynos() {
				got = append(got, fmt.Sprintf("%s v%d %s", d.Name, d.Release, d.State))
			}
			if s := strings.Join(got, ","); s != c.want {
				t.Errorf("%q; want %q", s, c.want)
			}
		})
	}
}
