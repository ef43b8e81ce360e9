package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"renga/e2e"
)

// TestKilledInTheMiddleOfADeployItComesRight kills the platform just after
// pushes, at random moments of the deploys.
func TestKilledInTheMiddleOfADeployItComesRight(t *testing.T) {
	s := newStory(t)
	s.start()
	s.push("hello", "kill-0")
	s.up("hello", "kill-0")
	s.scale("hello", "web", 2, "")
	s.runs("hello", "web.1 v2", "web.2 v2")
	strangers := s.strangers()
	for n := 1; n <= 3; n++ {
		version := fmt.Sprintf("kill-%d", n)
		s.push("hello", version)
		<-time.After(rand.N(1500 * time.Millisecond)) // the randomness is the test
		s.must(s.w.Kill())
		s.must(s.w.Launch(quickly()...))
		s.must(s.w.WaitHealthy(t.Context()))
		s.up("hello", version)
		release := fmt.Sprintf("v%d", n+2)
		s.runs("hello", "web.1 "+release, "web.2 "+release)
	}
	s.settled("hello", 5, "succeeded")
	s.noneTooMany(2, 1)
	s.unharmed(strangers)
	s.adopted()
}

// TestKilledInTheMiddleOfAScaleDownItComesRight kills the platform while dynos
// that ignore SIGTERM are being stopped.
func TestKilledInTheMiddleOfAScaleDownItComesRight(t *testing.T) {
	s := newStory(t)
	s.start()
	s.push("hello", "down", "stubborn")
	s.up("hello", "down")
	s.scale("hello", "web", 3, "")
	first := s.runs("hello", "web.1 v2", "web.2 v2", "web.3 v2")[0]
	strangers := s.strangers()
	s.scale("hello", "web", 1, "")
	<-time.After(rand.N(2 * time.Second)) // the randomness is the test
	s.must(s.w.Kill())
	s.must(s.w.Launch(quickly()...))
	s.must(s.w.WaitHealthy(t.Context()))
	if left := s.runs("hello", "web.1 v2"); left[0] != first {
		t.Errorf("web.1 is in %s, want %s as before", left[0], first)
	}
	s.serves("hello", "down")
	s.noneTooMany(1, 1)
	s.unharmed(strangers)
}

// strangers are containers that are none of the platform's business: one
// without labels, and one of another platform with all of them.
func (s *story) strangers() []string {
	s.Helper()
	ref := s.w.Registry() + "/stranger/web:kept"
	said, err := s.w.DockerPush(s.Context(), "stranger/web:kept", s.image("stranger"))
	if err != nil && !strings.Contains(err.Error(), "denied") {
		s.Fatalf("%s %v", said, err)
	}
	var ids []string
	for _, labels := range [][]string{nil, {
		"--label", "renga.platform=00000000-0000-4000-8000-000000000000", "--label", "renga.app-name=hello",
		"--label", "renga.dyno=web.9", "--label", "renga.release=2", "--label", "renga.type=web",
	}} {
		args := append([]string{"run", "--detach", "--network", "none"}, labels...)
		id, err := s.w.Docker(s.Context(), append(args, ref, "worker")...)
		s.must(err)
		ids = append(ids, strings.TrimSpace(id))
	}
	return ids
}

func (s *story) unharmed(strangers []string) {
	s.Helper()
	for _, id := range strangers {
		if out, err := s.w.Docker(s.Context(), "inspect", "--format", "{{.State.Running}}", id); err != nil || strings.TrimSpace(out) != "true" {
			s.Errorf("a container of somebody else: %s %v", out, err)
		}
	}
}

// noneTooMany waits until the platform has exactly that many containers, the
// ended ones counted, and networks.
func (s *story) noneTooMany(wantContainers, wantNetworks int) {
	s.Helper()
	s.poll(func() error {
		containers, networks := s.ownedAll("ps", "--all"), s.ownedAll("network", "ls")
		if len(containers) != wantContainers || len(networks) != wantNetworks {
			return fmt.Errorf("%d containers and %d networks, want %d and %d", len(containers), len(networks), wantContainers, wantNetworks)
		}
		return nil
	})
}

// adopted kills the platform at rest, and nothing must change.
func (s *story) adopted() {
	s.Helper()
	before := s.runs("hello", "web.1 v5", "web.2 v5")
	s.must(s.w.Kill())
	s.must(s.w.Launch(quickly()...))
	s.must(s.w.WaitHealthy(s.Context()))
	s.up("hello", "kill-3")
	s.untouched("hello", before)
}

// TestAPushUnderWayIsFinishedBeforeTheEnd asks the platform to end in the
// middle of an upload.
func TestAPushUnderWayIsFinishedBeforeTheEnd(t *testing.T) {
	s := newStory(t)
	s.start()
	s.push("hello", "end-1")
	s.up("hello", "end-1")
	s.settled("hello", 2, "succeeded")
	dynos := s.runs("hello", "web.1 v2")
	slow := newSlowUpload()
	pushed := make(chan error, 1)
	img := s.heavy("end-2", 1<<20)
	s.token()
	go func() { pushed <- s.tryPush("hello", img, slow) }()
	<-slow.begun
	s.must(syscall.Kill(s.w.Pid(), syscall.SIGTERM))
	s.poll(s.logs("renga ends"))
	close(slow.goOn)
	if err := <-pushed; err != nil {
		t.Errorf("the push was cut: %v", err)
	}
	s.poll(func() error {
		if s.w.Running() {
			return errors.New("the platform runs on")
		}
		return nil
	})
	s.must(s.w.Stop()) // tells how it ended
	left := s.leftRunning(dynos[0])
	s.start()
	s.up("hello", "end-2")
	s.settled("hello", 3, "succeeded")
	s.poll(func() error {
		now, err := s.w.Containers(t.Context(), "hello")
		if err == nil && (len(now) != 1 || left != "" && now[0].ID != left) {
			err = fmt.Errorf("%d dynos run, want the one of v3 that ran on, if there was one: %s", len(now), left)
		}
		return err
	})
}

// leftRunning checks that a dyno ran on when the platform ended: the old one,
// or the new release's, if there was the time to get that far. It returns the
// latter's container.
func (s *story) leftRunning(old string) (fresh string) {
	s.Helper()
	containers, err := s.w.Containers(s.Context(), "hello")
	s.must(err)
	if len(containers) == 0 {
		s.Error("no dyno ran on")
	}
	for _, c := range containers {
		switch {
		case c.Release == 3:
			fresh = c.ID
		case c.ID != old:
			s.Errorf("a dyno of v%d was started anew", c.Release)
		}
	}
	return fresh
}

// logs is nil once the log holds a text.
func (s *story) logs(text string) func() error {
	return func() error {
		if !strings.Contains(s.w.Log(), text) {
			return fmt.Errorf("the log does not tell %q", text)
		}
		return nil
	}
}

// slowUpload is a client that begins the upload of a layer and then waits.
type slowUpload struct {
	begun, goOn chan struct{}
	once        sync.Once
}

func newSlowUpload() *slowUpload {
	return &slowUpload{begun: make(chan struct{}), goOn: make(chan struct{})}
}

func (u *slowUpload) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPatch {
		r = r.Clone(r.Context())
		r.Body = &slowBody{ReadCloser: r.Body, upload: u, cut: r.Context().Done()}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// slowBody gives a few bytes, then waits.
type slowBody struct {
	io.ReadCloser
	upload *slowUpload
	cut    <-chan struct{} // closed when the request is given up
	read   int
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.read > 0 {
		b.upload.once.Do(func() { close(b.upload.begun) })
		select {
		case <-b.upload.goOn:
		case <-b.cut:
			return 0, context.Canceled
		}
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), 4096)])
	b.read += n
	return n, err
}

// TestAnAppMayBeDeletedWhileItIsPushed deletes in the middle of an upload, and
// the name can be used again.
func TestAnAppMayBeDeletedWhileItIsPushed(t *testing.T) {
	s := newStory(t)
	s.start()
	s.push("hello", "gone-1")
	s.up("hello", "gone-1")
	s.settled("hello", 2, "succeeded")
	slow := newSlowUpload()
	pushed := make(chan error, 1)
	img := s.heavy("gone-2", 1<<20)
	go func() { pushed <- s.tryPush("hello", img, slow) }()
	<-slow.begun
	s.api(http.StatusOK, http.MethodDelete, "/apps/hello", nil)
	close(slow.goOn)
	err := <-pushed
	status, body := s.ask(http.MethodGet, "/apps/hello", nil)
	if (err == nil) != (status == http.StatusOK) {
		t.Errorf("the push ended with %v, and the app is %d %s", err, status, body)
	}
	t.Logf("the push under way ended with: %v", err)
	if err == nil {
		s.api(http.StatusOK, http.MethodDelete, "/apps/hello", nil)
	}
	s.noneTooMany(0, 0)
	for _, list := range []string{"/v2/hello/web/tags/list", "/v2/hello/releases/tags/list"} {
		answer, err := s.w.Do(t.Context(), e2e.Request{Path: list, Token: s.token()})
		if err != nil || answer.Status != http.StatusNotFound {
			t.Errorf("%s: %d %s %v", list, answer.Status, answer.Body, err)
		}
	}
	s.push("hello", "gone-3")
	s.up("hello", "gone-3")
	s.settled("hello", 2, "succeeded")
	if out, said, err := s.w.Run(t.Context(), "verify", "hello"); err != nil {
		t.Errorf("verify: %s %s %v", out, said, err)
	}
}
