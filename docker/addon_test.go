package docker_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/docker"
	"renga/docker/dockertest"
)

// make makes its container by a spec, which is given what all have.
func (s *fixture) make(spec docker.Spec) *docker.Container {
	s.Helper()
	spec.Kind, spec.Image, spec.Labels = service, s.image, map[string]string{s.label.Key: s.label.Value}
	made, err := s.client.Create(s.Context(), spec)
	if err != nil {
		s.Fatal(err)
	}
	return made
}

func (s *fixture) begin(c *docker.Container) {
	s.Helper()
	if err := c.Start(s.Context(), "/service"); err != nil {
		s.Fatal(err)
	}
}

// network makes the network of another app.
func (s *fixture) network(app renga.AppID) string {
	s.Helper()
	id, err := s.client.Network(s.Context(), app, "shop")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := s.client.RemoveAll(context.Background(), service, s.label); err != nil {
			s.Error(err)
		}
		if err := s.client.Forget(context.Background(), app); err != nil {
			s.Error(err)
		}
	})
	return id
}

func (s *fixture) prints(p docker.Program) (string, error) {
	s.Helper()
	var out bytes.Buffer
	p.Output = &out
	err := s.look().Run(s.Context(), p)
	return out.String(), err
}

func TestFilesAreThereBeforeAContainerStarts(t *testing.T) {
	s := newService(t)
	data, err := s.client.Volume(t.Context(), s.volume, nil)
	if err != nil {
		t.Fatal(err)
	}
	made := s.make(docker.Spec{
		Command: []string{"/service"}, Arguments: []string{"serve"}, User: "0:7", Volumes: map[string]docker.Volume{"/data": data},
	})
	err = made.WriteFiles(t.Context(),
		docker.NewFile{Path: "/etc/passwd", Content: []byte("root:x:0:0::/:\nredis:x:999:998::/:\n"), Mode: 0o644},
		docker.NewFile{Path: "/data/conf/redis.conf", Content: []byte("secret"), Mode: 0o600, UID: 999, GID: 998},
	)
	if err != nil {
		t.Fatal(err)
	}
	s.begin(made)
	want := "/data/conf/redis.conf -rw------- 999 998\n/data/conf drwxr-xr-x 0 0\nas 0\n"
	look := []string{"/service", "stat", "/data/conf/redis.conf", "/data/conf"}
	if out, err := s.prints(docker.Program{Argv: look}); err != nil || out != want {
		t.Errorf("it sees %q, %v; want %q", out, err, want)
	}
	if out, err := s.prints(docker.Program{Argv: []string{"/service", "stat"}, User: "redis"}); err != nil || out != "as 999\n" {
		t.Errorf("as another user: %q, %v", out, err)
	}
}

// TestInputAndOutputOfAProgramAreApart, and each way in which it ends is told from
// the others.
func TestInputAndOutputOfAProgramAreApart(t *testing.T) {
	s := newService(t)
	s.start()
	input := bytes.Repeat([]byte("0123456789abcde\n"), 64<<10) // 1 MiB
	out, err := s.prints(docker.Program{Argv: []string{"/service", "echo", "0"}, Input: bytes.NewReader(input)})
	if err != nil || out != string(input) {
		t.Errorf("%d bytes came back, %v; want %d", len(out), err, len(input))
	}
	out, err = s.prints(docker.Program{Argv: []string{"/service", "echo", "3"}, Input: strings.NewReader("x")})
	var ended *docker.ExitError
	if !errors.As(err, &ended) || ended.Status != 3 || ended.Said != "read 1 bytes <nil>" || out != "x" {
		t.Errorf("one that fails: %q, %v", out, err)
	}
	if _, err = s.prints(docker.Program{Argv: []string{"/service", "echo", "0"}}); err != nil {
		t.Errorf("without input: %v", err)
	}
	_, err = s.prints(docker.Program{Argv: []string{"/service", "spam"}})
	if !errors.As(err, &ended) || len(ended.Said) > 4000 || !strings.HasSuffix(ended.Said, "complaint 9999") {
		t.Errorf("one that complains at length: %v", err)
	}
	_, err = s.prints(docker.Program{Argv: []string{"/missing"}})
	if !errors.As(err, &ended) || !strings.Contains(ended.Said, "no such file") {
		t.Errorf("one that is not there: %v", err)
	}

	broken := errors.New("the copy is broken")
	_, err = s.prints(docker.Program{
		Argv: []string{"/service", "echo", "0"}, Input: io.MultiReader(bytes.NewReader(input), failing{broken}),
	})
	if !errors.Is(err, broken) {
		t.Errorf("with input that breaks off: %v", err)
	}
	err = s.look().Run(t.Context(), docker.Program{
		Argv: []string{"/service", "echo", "0"}, Input: bytes.NewReader(input), Output: failing{broken},
	})
	if !errors.Is(err, broken) {
		t.Errorf("with output that nobody takes: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	began := failing{nil}
	go func() {
		_, _ = w.Write([]byte("x"))
		cancel()
	}()
	err = s.look().Run(ctx, docker.Program{Argv: []string{"/service", "echo", "0"}, Input: r, Output: began})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("one that nobody waits for: %v", err)
	}
	if left := dockertest.Docker(t, "top", s.look().ID); strings.Contains(left, "echo") {
		t.Errorf("it goes on:\n%s", left)
	}
	if err := s.look().Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.reaches(docker.Exited, docker.Unhealthy)
	if err := s.look().Run(t.Context(), docker.Program{Argv: []string{"/service", "stat"}}); renga.KindOf(err) != renga.NotFound {
		t.Errorf("in one that has ended: %v", err)
	}
}

// failing fails when it is read or written, if it has an error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error)    { return 0, f.err }
func (f failing) Write(p []byte) (int, error) { return len(p), f.err }

func TestAContainerIsFoundInTheNetworksThatItIsIn(t *testing.T) {
	s := newService(t)
	made := s.make(docker.Spec{Command: []string{"/service", "serve"}, NoForwarding: true})
	if len(made.Endpoints) != 0 {
		t.Errorf("one without a network is in %v", made.Endpoints)
	}
	blog, shop := s.network(renga.AppID(uuid.NewString())), s.network(renga.AppID(uuid.NewString()))
	if err := made.Connect(t.Context(), blog, "db.internal"); err != nil {
		t.Fatal(err)
	}
	s.begin(made)
	for range 2 { // the second time changes nothing
		if err := made.Connect(t.Context(), shop, "db.internal"); err != nil {
			t.Error(err)
		}
	}
	now := s.look()
	for _, network := range []string{blog, shop} {
		at := now.Endpoints[network]
		if !at.Addr.IsValid() || len(at.Aliases) == 0 || at.Aliases[0] != "db.internal" {
			t.Errorf("in network %s it is %+v", network, at)
		}
	}
	if out, err := s.prints(docker.Program{Argv: []string{"/service", "find", "db.internal"}}); err != nil || out != "db.internal 1 true\n" {
		t.Errorf("it finds %q, %v", out, err)
	}
	forwards := dockertest.Docker(t, "run", "--rm", "--network=container:"+made.ID, "--entrypoint=/service", s.image,
		"read", "/proc/sys/net/ipv4/ip_forward")
	if forwards != "0\n" {
		t.Errorf("it forwards: %q", forwards)
	}

	for range 2 {
		if err := now.Disconnect(t.Context(), shop); err != nil {
			t.Error(err)
		}
	}
	if err := now.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.reaches(docker.Exited, docker.NoHealth)
	s.begin(now)
	now = s.look()
	if _, in := now.Endpoints[blog]; len(now.Endpoints) != 1 || !in {
		t.Errorf("after a restart it is in %v; want %s", now.Endpoints, blog)
	}
	if err := now.Disconnect(t.Context(), blog); err != nil {
		t.Error(err)
	}
	if err := now.Terminate(t.Context(), 20*time.Second); err != nil {
		t.Error(err)
	}
	s.begin(now)
	if now = s.look(); len(now.Endpoints) != 0 {
		t.Errorf("after it was taken from all networks it is in %v", now.Endpoints)
	}
}

// TestAContainerLeavesANetworkThatIsGone, as somebody may have removed it while the
// container did not run.
func TestAContainerLeavesANetworkThatIsGone(t *testing.T) {
	s := newService(t)
	app := renga.AppID(uuid.NewString())
	blog := s.network(app)
	made := s.make(docker.Spec{Command: []string{"/service", "serve"}})
	if err := made.Connect(t.Context(), blog); err != nil {
		t.Fatal(err)
	}
	s.begin(made)
	if err := s.look().Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.reaches(docker.Exited, docker.NoHealth)
	dockertest.Docker(t, "network", "rm", blog)
	if err := made.Start(t.Context(), "/service"); err == nil {
		t.Error("it starts in a network that is gone")
	}
	if err := s.look().Disconnect(t.Context(), blog); err != nil {
		t.Error(err)
	}
	s.begin(made)
}

// TestAnAppGoesThoughAServiceIsInItsNetwork: the service stays where else it is.
func TestAnAppGoesThoughAServiceIsInItsNetwork(t *testing.T) {
	s := newService(t)
	goes := renga.AppID(uuid.NewString())
	blog, shop := s.network(renga.AppID(uuid.NewString())), s.network(goes)
	made := s.make(docker.Spec{Command: []string{"/service", "serve"}})
	for _, network := range []string{blog, shop} {
		if err := made.Connect(t.Context(), network, "db.internal"); err != nil {
			t.Fatal(err)
		}
	}
	s.begin(made)
	if err := s.client.Forget(t.Context(), goes); err != nil {
		t.Fatal(err)
	}
	if now := s.look(); now.State != docker.Running || len(now.Endpoints) != 1 || !now.Endpoints[blog].Addr.IsValid() {
		t.Errorf("it is %s and in %v; want it running in %s", now.State, now.Endpoints, blog)
	}
	if left := dockertest.Docker(t, "network", "ls", "--quiet", "--filter", "label=renga.app="+string(goes)); left != "" {
		t.Errorf("the app's network is left: %s", left)
	}
}
