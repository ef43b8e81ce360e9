package docker_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"renga"
	"renga/runtime/engine"
)

func TestWhatIsNotOursIsNeitherListedNorTouched(t *testing.T) {
	w, other := newFixture(t), newFixture(t)
	s := w.spec("serve")
	foreign := createForeign(w, s.Image.Config)
	theirs := other.start(again(s)) // the same app on another platform

	for _, app := range []renga.AppID{"", s.App} {
		if all := w.list(app); len(all) != 0 {
			t.Errorf("list of %q has %v", app, all)
		}
	}
	for _, id := range []string{foreign, theirs.ID} {
		if err := w.engine.Stop(t.Context(), id, 0); err != nil {
			t.Errorf("stop: %v", err)
		}
		if err := w.engine.Kill(t.Context(), id); err != nil {
			t.Errorf("kill: %v", err)
		}
		if lines, err := w.engine.Tail(t.Context(), id, 5); err != nil || lines != nil {
			t.Errorf("tail: %q, %v", lines, err)
		}
		if !w.inspect(id).State.Running {
			t.Error("what is not ours was ended")
		}
	}
	if err := w.engine.Forget(t.Context(), s.App); err != nil {
		t.Error(err)
	}
	if len(w.networks(other.options.Platform)) != 1 {
		t.Error("another platform's network is gone")
	}
}

// createForeign runs a container without a label of ours.
func createForeign(w *fixture, imageID string) string {
	w.Helper()
	made, err := w.raw.ContainerCreate(w.Context(), &container.Config{
		Image: imageID, Entrypoint: []string{"/bin/dyno", "serve"}, Env: []string{"PORT=1234"},
	}, &container.HostConfig{NetworkMode: "none"}, nil, nil, "")
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		err := w.raw.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
		if err != nil {
			w.Error(err)
		}
	})
	if err := w.raw.ContainerStart(w.Context(), made.ID, container.StartOptions{}); err != nil {
		w.Fatal(err)
	}
	return made.ID
}

func TestDynoThatWasMadeAndNeverStartedIsListedSo(t *testing.T) {
	w := newFixture(t)
	s := w.spec("serve")
	in := w.start(s)
	labels := w.inspect(in.ID).Config.Labels
	if _, err := w.raw.ContainerCreate(t.Context(), &container.Config{
		Image: s.Image.Config, Labels: labels,
	}, nil, nil, nil, ""); err != nil {
		t.Fatal(err)
	}
	var created []engine.Instance
	for _, i := range w.list(s.App) {
		if i.State == engine.Created {
			created = append(created, i)
		}
	}
	if len(created) != 1 || !created[0].StartedAt.IsZero() || created[0].Addr != "" {
		t.Fatalf("created: %+v; want one, without start and address", created)
	}
	if err := w.engine.Kill(t.Context(), created[0].ID); err != nil {
		t.Errorf("kill: %v", err)
	}
	if err := w.engine.Stop(t.Context(), created[0].ID, time.Minute); err != nil {
		t.Errorf("stop: %v", err)
	}
	if all := w.list(s.App); len(all) != 1 {
		t.Errorf("%d are left; want the running one", len(all))
	}
}

func TestGraceBelowASecondIsKept(t *testing.T) {
	w := newFixture(t)
	in := w.start(w.spec("stubborn"))
	awaitLine(w, in.ID, "deaf")
	begun := time.Now()
	if err := w.engine.Stop(t.Context(), in.ID, 700*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < 700*time.Millisecond {
		t.Errorf("took %v: the grace was rounded away", took)
	}
}

func TestSIGTERMReachesAllProcessesOfADyno(t *testing.T) {
	w := newFixture(t)
	s := w.spec("tree")
	in := w.start(s)
	awaitLine(w, in.ID, "child ready")
	if err := w.raw.ContainerKill(t.Context(), in.ID, "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	w.exited(s.App, in.ID) // the parent is deaf, and waits for its child
	lines, err := w.engine.Tail(t.Context(), in.ID, 5)
	if err != nil || !slices.Contains(lines, "child ended: <nil>") {
		t.Errorf("output %q, %v; want that the child ended by itself", lines, err)
	}
}

func awaitLine(w *fixture, id, line string) {
	w.Helper()
	until(w, "the dyno prints "+line, func() bool {
		lines, err := w.engine.Tail(w.Context(), id, 20)
		if err != nil {
			w.Fatal(err)
		}
		return slices.Contains(lines, line)
	})
}

func TestAnInitOfTheImagesOwnIsTheFirstProcess(t *testing.T) {
	w := newFixture(t)
	for own, says := range map[bool]string{true: "process 1", false: "process 7"} {
		s := w.spec("pid")
		s.NoInit = own
		in := w.start(s)
		until(t, "it is "+says, func() bool {
			lines, err := w.engine.Tail(t.Context(), in.ID, 1)
			return err == nil && len(lines) == 1 && (lines[0] == says || !own && lines[0] != "process 1")
		})
		if killed, err := w.engine.Terminate(t.Context(), in.ID, 20*time.Second); err != nil || killed {
			t.Errorf("SIGTERM did not reach it: killed %v, %v", killed, err)
		}
	}
}

func TestStopWhoseContextEndsMayBeDoneAgain(t *testing.T) {
	w := newFixture(t)
	s := w.spec("stubborn")
	in := w.start(s)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := w.engine.Stop(ctx, in.ID, time.Minute); err == nil {
		t.Error("no error, and the grace is not over")
	}
	if all := w.list(s.App); len(all) != 1 || all[0].State != engine.Running {
		t.Errorf("after a stop that was broken off: %+v", all)
	}
	if err := w.engine.Stop(t.Context(), in.ID, 0); err != nil {
		t.Error(err)
	}
	if all := w.list(s.App); len(all) != 0 {
		t.Errorf("after the second stop: %+v", all)
	}
}

func TestStopAndKillAtOnceDoNoHarm(t *testing.T) {
	w := newFixture(t)
	s := w.spec("stubborn")
	in := w.start(s)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			if i%2 == 0 {
				if err := w.engine.Kill(t.Context(), in.ID); err != nil {
					t.Errorf("kill: %v", err)
				}
				return
			}
			if err := w.engine.Stop(t.Context(), in.ID, 200*time.Millisecond); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
	}
	wg.Wait()
	until(t, "it is gone", func() bool { return len(w.list(s.App)) == 0 })
}

func TestListGoesOnWhileDynosVanish(t *testing.T) {
	w := newFixture(t)
	s := w.spec("exit")
	ids := make(chan string, 6)
	var wg sync.WaitGroup
	for range cap(ids) {
		wg.Go(func() {
			in, err := w.engine.Start(t.Context(), again(s))
			if err != nil {
				t.Error(err)
			}
			ids <- in.ID
		})
	}
	wg.Wait()
	close(ids)
	for range 2 {
		wg.Go(func() {
			for id := range ids {
				if err := w.engine.Stop(t.Context(), id, 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	until(t, "all are gone", func() bool { return len(w.list("")) == 0 })
	wg.Wait()
}
