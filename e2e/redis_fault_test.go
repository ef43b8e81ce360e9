package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"renga/children"
	"renga/e2e"
)

// redisServer is a redis-server of a test's own, with an append-only file, that
// can be killed and started again.
type redisServer struct {
	s    *story
	port string
	args []string
	cmd  *exec.Cmd // nil while it does not run
}

// newRedis starts one; further arguments are settings of redis-server.
func (s *story) newRedis(args ...string) *redisServer {
	s.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	s.must(err)
	s.must(l.Close())
	r := &redisServer{s: s, port: port, args: append([]string{
		"--port", port, "--bind", "127.0.0.1", "--dir", s.TempDir(), "--appendonly", "yes", "--appendfsync", "always", "--save", "",
	}, args...)}
	s.Cleanup(r.kill)
	r.start()
	return r
}

func (r *redisServer) start() {
	r.s.Helper()
	r.cmd = exec.Command("redis-server", r.args...)
	r.s.must(children.Start(r.cmd, syscall.SIGKILL))
	r.s.poll(func() error {
		out, err := r.try("PING")
		if err == nil && !strings.Contains(out, "PONG") && !strings.Contains(out, "NOAUTH") {
			err = fmt.Errorf("redis-cli PING: %s", out)
		}
		return err
	})
}

func (r *redisServer) kill() {
	if r.cmd != nil {
		_ = r.cmd.Process.Kill() // it may have ended
		_ = r.cmd.Wait()         // killed, as asked for
		r.cmd = nil
	}
}

func (r *redisServer) try(args ...string) (string, error) {
	out, err := exec.Command("redis-cli", append([]string{"-p", r.port}, args...)...).CombinedOutput()
	return string(out), err
}

func (r *redisServer) do(args ...string) {
	r.s.Helper()
	if out, err := r.try(args...); err != nil || strings.TrimSpace(out) != "OK" {
		r.s.Fatalf("redis-cli %q: %s, %v", args, out, err)
	}
}

// url is what REDIS_URL would be; userinfo may be empty or end in @.
func (r *redisServer) url(userinfo string) string {
	return "--redis-url=redis://" + userinfo + "127.0.0.1:" + r.port + "/0"
}

func TestAWrongRedisPasswordIsToldWithoutTellingIt(t *testing.T) {
	s := newStory(t)
	r := s.newRedis("--requirepass", "the-right-one")
	if said := s.refusesToServe("Redis.*password", r.url(":s3cr3t-p4ss@")); strings.Contains(said, "s3cr3t-p4ss") {
		t.Errorf("the password is told: %s", said)
	}
	r.kill()
	if said := s.refusesToServe("Redis", r.url(":s3cr3t-p4ss@")); strings.Contains(said, "s3cr3t-p4ss") {
		t.Errorf("the password is told: %s", said)
	}
	s.refusesToServe("(?i)redis", "--redis-server="+filepath.Join(t.TempDir(), "none"))
}

// TestRedisMayGoAndComeBack kills Redis under a running platform. A docker push
// that was begun meanwhile tries again by itself, and so gets through.
func TestRedisMayGoAndComeBack(t *testing.T) {
	s := newStory(t)
	r := s.newRedis()
	s.start(r.url(""))
	s.push("hello", "redis-1")
	s.up("hello", "redis-1")
	s.settled("hello", 2, "succeeded")
	dynos := s.runs("hello", "web.1 v2")
	next := s.w.Registry() + "/hello"
	_, err := s.w.DockerPush(t.Context(), "hello:next", s.image("redis-2")) // is stored only
	s.must(err)
	_, err = s.w.Docker(t.Context(), "tag", next+":next", next)
	s.must(err)
	r.kill()
	s.serves("hello", "redis-1")
	s.unavailable("Redis")
	s.pushRefused("Redis")
	if said := s.unhealthy("redis"); !strings.Contains(said, "Redis") {
		t.Errorf("/healthz says %q", said)
	}
	pushed := make(chan error, 1)
	go func() {
		_, err := s.w.Docker(t.Context(), "push", next)
		pushed <- err
	}()
	s.serves("hello", "redis-1")
	s.untouched("hello", dynos)
	_, err = s.w.Get(t.Context(), "hello", "/crash?code=5")
	s.must(err)
	s.up("hello", "redis-1")
	r.start()
	s.must(s.w.WaitHealthy(t.Context()))
	s.must(<-pushed)
	s.up("hello", "redis-2")
	s.set("hello", map[string]any{"COLOUR": "red"})
	s.poll(func() error { return s.says("hello", "/env?name=COLOUR", "red") })
	s.runs("hello", "web.1 v4")
}

// unavailable fails unless config vars cannot be changed now, for a reason that
// names what.
func (s *story) unavailable(what string) {
	s.Helper()
	answer := string(s.api(http.StatusServiceUnavailable, http.MethodPatch, "/apps/hello/config-vars", `{"COLOUR":"lost"}`))
	if !strings.Contains(answer, what) || !strings.Contains(answer, `"id"`) {
		s.Errorf("the refusal says %s, want %q in it", answer, what)
	}
}

// pushRefused tries what every push begins with, which must be refused for a
// reason that names what.
func (s *story) pushRefused(what string) {
	s.Helper()
	answer, err := s.w.Do(s.Context(), e2e.Request{Method: http.MethodPost, Path: "/v2/hello/web/blobs/uploads/", Token: s.token()})
	if err != nil || answer.Status != http.StatusServiceUnavailable || !strings.Contains(string(answer.Body), what) {
		s.Errorf("the registry says %d %s, %v, want a 503 with %q", answer.Status, answer.Body, err, what)
	}
}

// TestAPushThatCouldNotBeRecordedIsReleasedLater lets Redis answer reads and
// keep writes waiting: the push is let in, and then cannot be recorded.
func TestAPushThatCouldNotBeRecordedIsReleasedLater(t *testing.T) {
	s := newStory(t)
	r := s.newRedis()
	s.start(r.url(""))
	s.push("hello", "pause-1")
	s.up("hello", "pause-1")
	s.settled("hello", 2, "succeeded")
	r.do("CLIENT", "PAUSE", "600000", "WRITE")
	err := s.tryPush("hello", s.image("pause-2"), http.DefaultTransport)
	if err == nil || !strings.Contains(err.Error(), "Redis") {
		t.Errorf("the push that Redis did not take says %v", err)
	}
	s.serves("hello", "pause-1")
	r.do("CLIENT", "UNPAUSE")
	s.up("hello", "pause-2")
	s.settled("hello", 3, "succeeded")
	if status, body := s.ask(http.MethodGet, "/apps/hello/releases/4", nil); status != http.StatusNotFound {
		t.Errorf("the push was released twice: %d %s", status, body)
	}
}

// TestAnEmptiedRedisIsRebuilt empties Redis under a running platform.
func TestAnEmptiedRedisIsRebuilt(t *testing.T) {
	s := newStory(t)
	r := s.newRedis()
	s.start(r.url(""))
	s.push("hello", "flush-1")
	s.up("hello", "flush-1")
	s.set("hello", map[string]any{"COLOUR": "red"})
	s.poll(func() error { return s.says("hello", "/env?name=COLOUR", "red") })
	s.push("hello", "flush-2")
	s.up("hello", "flush-2")
	s.settled("hello", 4, "succeeded")
	dynos := s.runs("hello", "web.1 v4")
	r.do("FLUSHALL")
	s.unavailable("renga recover")
	s.serves("hello", "flush-2")
	s.pushRefused("renga recover")
	s.must(s.w.Stop()) // a start on an empty Redis must do no harm either
	s.must(s.w.Launch(quickly(r.url(""))...))
	s.unhealthy("redis")
	s.untouched("hello", dynos)
	out, said, err := s.w.Run(t.Context(), "recover", r.url(""))
	if err != nil || !strings.Contains(out, "hello: 4 releases") {
		t.Fatalf("recover: %s %s %v", out, said, err)
	}
	s.must(s.w.WaitHealthy(t.Context()))
	s.up("hello", "flush-2")
	s.untouched("hello", dynos)
	s.api(http.StatusCreated, http.MethodPost, "/apps/hello/releases", `{"release":"v2"}`)
	s.up("hello", "flush-1")
	s.must(s.says("hello", "/env?name=COLOUR", ""))
	if back := s.settled("hello", 5, "succeeded"); back.Description != "Rollback to v2" || !back.Current {
		t.Errorf("the rollback is %+v", back)
	}
	s.runs("hello", "web.1 v5")
	if answer, err := s.w.Do(t.Context(), e2e.Request{Path: "/healthz"}); err != nil || answer.Status != http.StatusOK {
		t.Errorf("/healthz: %d %s %v", answer.Status, answer.Body, err)
	}
}
