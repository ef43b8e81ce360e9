package docker_test

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/docker"
	"renga/docker/dockertest"
)

// service is the kind of this test's containers.
const service docker.Kind = "service"

// TestAServiceOfAnAddOnStandsOnThisAlone goes through all that one needs: data
// that outlive its container, the network of the app that uses it, a probe, a
// command beside it, its output, its end, and that nothing is left.
func TestAServiceOfAnAddOnStandsOnThisAlone(t *testing.T) {
	s := newService(t)
	s.start()
	s.reaches(docker.Running, docker.Unhealthy)
	if said := s.look().HealthOutput; said != "there is no note" {
		t.Errorf("the probe says %q", said)
	}
	if out, code := s.exec("/service", "write", "hello"); out != "written\n" || code != 0 {
		t.Fatalf("the command printed %q and ended with %d", out, code)
	}
	s.reaches(docker.Running, docker.Healthy)
	if declared := s.look().Volumes; len(declared) > 0 {
		t.Errorf("its volume counts as one of the image's: %q", declared)
	}
	if addr := s.look().Addr(s.app); !addr.IsValid() {
		t.Error("it has no address in the app's network")
	}
	if err := s.client.RemoveVolume(t.Context(), s.volume); renga.KindOf(err) != renga.Conflict {
		t.Errorf("a volume was taken from under a service: %v", err)
	}

	// Another container takes its place, and has the same data.
	one := s.look()
	if err := one.Terminate(t.Context(), 20*time.Second); err != nil {
		t.Fatal(err)
	}
	if now := s.look(); now.State != docker.Exited || now.ExitCode != 0 {
		t.Errorf("it is %s with %d after SIGTERM", now.State, now.ExitCode)
	}
	if err := one.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.reaches(docker.Running, docker.Healthy)
	lines, err := s.look().Tail(t.Context(), 5)
	if err != nil || !slices.Equal(lines, []string{`serving "hello" for blog`}) {
		t.Errorf("it printed %q, %v", lines, err)
	}

	s.remove()
	s.remove() // what is gone is no error
	for what, args := range map[string][]string{
		"containers": {"ps", "--all", "--quiet"},
		"networks":   {"network", "ls", "--quiet"},
		"volumes":    {"volume", "ls", "--quiet"},
	} {
		args = append(args, "--filter", "label=renga.platform="+s.platform)
		if left := dockertest.Docker(t, args...); left != "" {
			t.Errorf("%s are left: %s", what, left)
		}
	}
}

// TestOnlyItsOwnerSeesAContainer, not even who owns another kind of the same
// platform's.
func TestOnlyItsOwnerSeesAContainer(t *testing.T) {
	s := newService(t)
	s.start()
	id := s.look().ID
	another := newClient(t, docker.Options{Platform: "test-" + uuid.NewString()})
	if seen, err := another.Inspect(t.Context(), id); err != nil || seen != nil {
		t.Errorf("another platform sees %v, %v", seen, err)
	}
	if _, err := another.InspectRunning(t.Context(), id); renga.KindOf(err) != renga.NotFound {
		t.Errorf("another platform gets it: %v", err)
	}
	if _, err := another.Volume(t.Context(), s.volume, nil); renga.KindOf(err) != renga.Unavailable {
		t.Errorf("another platform gets its volume: %v", err)
	}
	if err := another.RemoveVolume(t.Context(), s.volume); err != nil {
		t.Errorf("another platform's volume counts as none: %v", err)
	}
	dockertest.Docker(t, "volume", "inspect", s.volume) // it is there
	for _, c := range []struct {
		client *docker.Client
		kind   docker.Kind
		sees   int
	}{{s.client, service, 1}, {s.client, docker.Dyno, 0}, {another, service, 0}} {
		if err := c.client.RemoveAll(t.Context(), docker.Dyno); err != nil {
			t.Error(err)
		}
		all, err := c.client.List(t.Context(), c.kind)
		running, err2 := c.client.ListRunning(t.Context(), c.kind)
		if err != nil || err2 != nil || len(all) != c.sees || len(running) != c.sees {
			t.Errorf("of kind %s: %v and %v, %v, %v; want %d", c.kind, all, running, err, err2, c.sees)
		}
	}
	if _, err := s.client.Create(t.Context(), docker.Spec{Image: s.image}); err == nil {
		t.Error("a container of no kind was made")
	}
}

// fixture is a service that runs on the real daemon, for an app.
type fixture struct {
	*testing.T
	client          *docker.Client
	platform, image string
	volume          string
	app             renga.AppID
	label           docker.Label
}

func newService(t *testing.T) *fixture {
	t.Helper()
	id := uuid.NewString()
	s := &fixture{
		T: t, platform: "test-" + id, volume: "renga-test-" + id, app: renga.AppID(id),
		label: docker.Label{Key: "renga.test-service", Value: id},
		image: dockertest.Image(t, nil, "LABEL renga.kind=dyno renga.platform=another"),
	}
	s.client = newClient(t, docker.Options{Platform: s.platform, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	t.Cleanup(s.remove)
	return s
}

// start makes and starts its container.
func (s *fixture) start() {
	s.Helper()
	ctx := s.Context()
	network, err := s.client.Network(ctx, s.app, "blog")
	if err != nil {
		s.Fatal(err)
	}
	labels := docker.OfApp(s.app, "blog")
	labels[s.label.Key] = s.label.Value
	data, err := s.client.Volume(ctx, s.volume, labels)
	if err != nil {
		s.Fatal(err)
	}
	made, err := s.client.Create(ctx, docker.Spec{
		Kind: service, Name: s.volume, Image: s.image, Network: network, Labels: labels,
		Command: []string{"/service", "serve"}, Env: []string{"OWNER=blog"}, Volumes: map[string]docker.Volume{"/data": data},
		Check: &docker.Check{
			Test: []string{"CMD", "/service", "check"}, Interval: time.Second, Timeout: 10 * time.Second, Retries: 1,
		},
		Limits: docker.Limits{MemoryBytes: 64 << 20, Pids: 32},
	})
	if err != nil {
		s.Fatal(err)
	}
	if err := made.Start(ctx, "/service"); err != nil {
		s.Fatal(err)
	}
}

// look finds its container by the label.
func (s *fixture) look() *docker.Container {
	s.Helper()
	all, err := s.client.List(s.Context(), service, s.label)
	if err != nil || len(all) != 1 {
		s.Fatalf("containers %v, %v; want one", all, err)
	}
	return &all[0]
}

// reaches waits until it is that far.
func (s *fixture) reaches(state docker.State, health docker.Health) {
	s.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		now := s.look()
		if now.State == state && now.Health == health {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("it is %s and %s; want %s and %s", now.State, now.Health, state, health)
		}
	}
}

func (s *fixture) exec(argv ...string) (string, int) {
	s.Helper()
	x, err := s.look().Exec(s.Context(), argv, nil)
	if err != nil {
		s.Fatal(err)
	}
	out, err := io.ReadAll(x)
	if err != nil {
		s.Fatal(err)
	}
	code, err := x.Wait(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	_ = x.Close() // it has ended
	return string(out), code
}

// remove removes all of it.
func (s *fixture) remove() {
	ctx := context.Background()
	if err := s.client.RemoveAll(ctx, service, s.label); err != nil {
		s.Error(err)
	}
	if err := s.client.RemoveVolume(ctx, s.volume); err != nil {
		s.Error(err)
	}
	if err := s.client.Forget(ctx, s.app); err != nil {
		s.Error(err)
	}
}
