package runtime_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/enginetest"
)

// TestDynosHaveTheirDisks: those of the process types that are named, and one-off
// dynos that run as one; they only look at a disk that another dyno writes alone.
func TestDynosHaveTheirDisks(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.MakeDisk("v1")
		h.MakeDisk("shared")
		h.run()
		h.scale("web=1 worker=2 clock=1")
		h.deploy(2, "web=serve+v1 worker=work+shared clock=work")
		h.oneOff(renga.OneOff{Command: "ls /disk"})
		h.oneOff(renga.OneOff{Command: "touch /disk/x", Type: "worker", As: renga.Scheduler})
		h.oneOff(renga.OneOff{Command: "date", Type: "clock", As: renga.Scheduler})
		got := map[string][]engine.Mount{}
		for _, spec := range h.Specs() {
			name := string(spec.Type)
			if name == string(renga.Scheduler) || name == string(renga.Run) {
				name = spec.Image.Command[2]
			}
			got[name] = append(got[name], spec.Mounts...)
		}
		alone := engine.Mount{Volume: "v1", Path: "/disk", Alone: true}
		shared := engine.Mount{Volume: "shared", Path: "/disk"}
		for name, want := range map[string][]engine.Mount{
			"web": {alone}, "worker": {shared, shared}, "clock": nil,
			"ls /disk": {{Volume: "v1", Path: "/disk", ReadOnly: true}}, "touch /disk/x": {shared}, "date": nil,
		} {
			if !slices.Equal(got[name], want) {
				t.Errorf("%s has %+v; want %+v", name, got[name], want)
			}
		}
	})
}

// watched is an engine that finds out when two write to a disk.
type watched struct {
	*enginetest.Memory
	t testing.TB
}

func (w watched) Start(ctx context.Context, spec engine.Spec) (engine.Instance, error) {
	i, err := w.Memory.Start(ctx, spec)
	all, listErr := w.List(context.WithoutCancel(ctx), "")
	if listErr != nil {
		w.t.Error(listErr)
	}
	writes := func(o engine.Instance) bool {
		return o.State == engine.Running && o.ID != i.ID && slices.ContainsFunc(o.Alone, func(v string) bool {
			return slices.Contains(i.Alone, v)
		})
	}
	if n := slices.IndexFunc(all, writes); n >= 0 {
		w.t.Errorf("%s v%d writes beside %s v%d", i.Name, i.Release, all[n].Name, all[n].Release)
	}
	return i, err
}

// TestADiskIsHandedOver: from the dyno of one release to that of the next, from one
// that crashed, after a restart, and by a Renga that ends in the middle.
func TestADiskIsHandedOver(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.engine = watched{h.Memory, t}
		h.MakeDisk("v1")
		h.run()
		h.scale("web=1 worker=1")
		h.deploy(2, "web=serve worker=work")
		runs := func(version int) {
			t.Helper()
			h.after(10 * time.Second)
			name := renga.VersionName(version)
			is(t, "running", h.running(), "web.1 "+name, "worker.1 "+name)
			if got := len(h.targets()); got != 1 {
				t.Errorf("%d targets", got)
			}
		}
		runs(2)
		for version := 3; version < 6; version++ {
			h.deploy(version, "web=serve+v1 worker=work")
			runs(version)
			if o := h.outcome(version); o.Status != renga.Succeeded {
				t.Errorf("v%d: %+v", version, o)
			}
		}
		h.restart("web")
		runs(5)
		h.End("web.1", 1)
		runs(5)

		h.push(6, "web=crash+v1 worker=work")
		runs(5)
		if o := h.outcome(6); o.Status != renga.Failed {
			t.Errorf("v6: %+v", o)
		}

		h.router.linger = time.Second // so that the one that serves takes its time to go
		h.push(7, "web=serve+v1 worker=work")
		h.after(1500 * time.Millisecond)
		is(t, "while the disk changes hands", h.running(), "web.1 v5", "worker.1 v5", "worker.1 v7")
		if idle := h.route().Idle; idle != renga.IdleStarting {
			t.Errorf("requests do not wait meanwhile: %q", idle)
		}
		h.run()
		runs(7)
	})
}
