package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/plan"
)

// checkWriters: what is to write a disk alone starts when nothing is left that
// might, and nobody starts beside it.
func checkWriters(t *rapid.T, w plan.State, todo plan.Plan) {
	writers := map[string]bool{}
	for _, i := range w.Instances {
		for _, volume := range i.Alone {
			writers[volume] = writers[volume] || i.State != engine.Exited
		}
	}
	for _, a := range w.Starts {
		for _, volume := range a.Alone {
			writers[volume] = writers[volume] || a.Busy
		}
	}
	for _, step := range todo.Steps {
		s, ok := step.(plan.Start)
		if !ok {
			continue
		}
		for _, volume := range renga.Alone(s.Release.Mounts, s.Type) {
			if writers[volume] {
				t.Fatalf("%s v%d starts beside another writer of %s", s.Name, s.Release.Version, volume)
			}
			writers[volume] = true
		}
	}
}

func TestADiskHasOneWriter(t *testing.T) {
	for _, c := range []struct {
		name  string
		given situation
		steps string // comma between
		route string
	}{
		{"a disk that is new starts beside what serves without", situation{live: "v2 web=a", next: "v3 web=b+v1", formation: "web=1",
			instances: []string{"web.1 v2 up"}}, "start web.1 v3", "i1 "},
		{"the one that serves gives way", situation{live: "v2 web=a+v1", next: "v3 web=b+v1", formation: "web=1",
			instances: []string{"web.1 v2 up disk=v1"}}, "stop i1", "starting"},
		{"and the new one waits for its end", situation{live: "v2 web=a+v1", next: "v3 web=b+v1", formation: "web=1",
			instances: []string{"web.1 v2 up disk=v1 stopping"}}, "", "starting"},
		{"and starts then", situation{live: "v2 web=a+v1", next: "v3 web=b+v1", formation: "web=1"}, "start web.1 v3", "starting"},
		{"a crash in between is met by the new one", situation{live: "v2 web=a+v1", next: "v3 web=b+v1", formation: "web=1",
			instances: []string{"web.1 v2 exited disk=v1"}}, "start web.1 v3,stop i1", "starting"},
		{"the old one does not come back meanwhile", situation{live: "v2 web=a+v1", next: "v3 web=b+v1", formation: "web=1",
			instances: []string{"web.1 v3 exited disk=v1"}}, "start web.1 v3 crashes=1", "starting"},
		{"when it fails the old one waits for its end", situation{live: "v2 web=a+v1", formation: "web=1",
			instances: []string{"web.1 v3 up disk=v1"}}, "stop i1", "starting"},
		{"and comes back", situation{live: "v2 web=a+v1", formation: "web=1",
			instances: []string{"web.1 v3 exited disk=v1"}}, "start web.1 v2,stop i1", "starting"},
		{"it gives way when the others are up", situation{live: "v2 web=a+v1 worker=b", next: "v3 web=c+v1 worker=d",
			formation: "web=1 worker=1", instances: []string{"web.1 v2 up disk=v1", "worker.1 v2 up"}}, "start worker.1 v3", "i1 "},
		{"not before", situation{live: "v2 web=a+v1 worker=b", next: "v3 web=c+v1 worker=d", formation: "web=1 worker=1",
			instances: []string{"web.1 v2 up disk=v1", "worker.1 v2 up", "worker.1 v3 running"}}, "", "i1 "},
		{"and then", situation{live: "v2 web=a+v1 worker=b", next: "v3 web=c+v1 worker=d", formation: "web=1 worker=1",
			instances: []string{"web.1 v2 up disk=v1", "worker.1 v2 up", "worker.1 v3 up"}}, "stop i1", "starting"},
		{"once begun it goes on", situation{live: "v2 web=a+v1 worker=b", next: "v3 web=c+v1 worker=d", formation: "web=1 worker=1",
			instances: []string{"web.1 v3 running disk=v1", "worker.1 v2 up", "worker.1 v3 exited"}},
			"start worker.1 v3 crashes=1", "starting"},
		{"a release command does not take it", situation{live: "v2 web=a+v1", next: "v3 web=b+v1 release=m", formation: "web=1",
			instances: []string{"web.1 v2 up disk=v1"}}, "start release.3 v3", "i1 "},
		{"a worker's disk leaves the web alone", situation{live: "v2 web=a worker=b+v1", next: "v3 web=c worker=d+v1",
			formation: "web=1 worker=1", instances: []string{"web.1 v2 up", "web.1 v3 up", "worker.1 v2 up disk=v1"}}, "stop i3", "i1 "},
		{"a disk that moves has no two writers either", situation{live: "v2 web=a+v1 worker=b", next: "v3 web=c worker=d+v1",
			formation: "web=1 worker=1", instances: []string{"web.1 v2 up disk=v1", "worker.1 v2 up", "web.1 v3 up"}}, "stop i1", "starting"},
		{"a restart stops first", situation{live: "v2 web=a+v1", formation: "web=1", restart: "web",
			instances: []string{"web.1 v2 up old disk=v1"}}, "stop i1", "starting"},
		{"another size, too", situation{live: "v2 web=a+v1", formation: "web=1:eco",
			instances: []string{"web.1 v2 up disk=v1"}}, "stop i1", "starting"},
		{"one that may have been started by another Renga goes first", situation{live: "v2 web=a+v1", formation: "web=1",
			instances: []string{"web.1 v2 created disk=v1"}}, "stop i1", "starting"},
		{"and what one is about to start is waited for", situation{live: "v4 web=a+v1", formation: "web=1",
			starts: map[string]plan.Attempt{"web.1 v3": {Busy: true, Alone: []string{"v1"}}}}, "", "starting"},
		{"there is one dyno whatever the formation says", situation{live: "v2 web=a+v1", formation: "web=3",
			instances: []string{"web.1 v2 up disk=v1"}}, "", "i1 "},
		{"the disk of a superseded release's dyno is wanted back", situation{live: "v2 web=a", next: "v4 web=b+v1", formation: "web=1",
			instances: []string{"web.1 v3 up disk=v1"}}, "start web.1 v2,stop i1", "starting"},
		{"of two releases that want a disk one starts", situation{live: "v2 web=a+v1 worker=b", next: "v3 web=c+v1 worker=d",
			formation: "web=1 worker=1", instances: []string{"worker.1 v2 up"}}, "start web.1 v2,start worker.1 v3", "starting"},
		{"of two process types that want one, too", situation{live: "v2 web=a+v1 worker=b+v1", formation: "web=1 worker=1"},
			"start web.1 v2", "starting"},
		{"with the store away it stays with whoever has it", situation{away: true, live: "v2 web=a+v1", next: "v3 web=b+v1",
			formation: "web=1", instances: []string{"web.1 v2 up disk=v1"}}, "", "i1 "},
		{"a shared one changes nothing", situation{live: "v2 web=a+shared", next: "v3 web=b+shared", formation: "web=2",
			instances: []string{"web.1 v2 up", "web.2 v2 up"}}, "start web.1 v3,start web.2 v3", "i1 i2 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.given.state().Plan()
			if s := strings.Join(words(got.Steps), ","); s != c.steps {
				t.Errorf("steps %q; want %q", s, c.steps)
			}
			if r := asked(got.Route); r != c.route {
				t.Errorf("route %q; want %q", r, c.route)
			}
		})
	}
}

// TestADiskHasNoCanary: the one that serves would have to go first.
func TestADiskHasNoCanary(t *testing.T) {
	w := situation{live: "v2 web=a+v1", next: "v3 web=b+v1", formation: "web=1", instances: []string{"web.1 v3 up disk=v1"}}.state()
	w.Desired.Next.Canary = renga.Canary{Percent: 50, For: time.Minute}
	if got := words(w.Plan().Steps); !slices.Equal(got, []string{"finish v3 succeeded"}) {
		t.Errorf("steps %q", got)
	}
}
