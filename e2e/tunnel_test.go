package e2e_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"renga/children"
	"renga/e2e"
	"renga/e2e/services"
)

// TestRengaTunnelLeadsToAnAddOn uses a Redis from outside, by the URL that the program
// prints, with the client that everybody has; through several connections, after the
// credential was rotated by the way that is asked for anew, and not once the right to
// it has ended.
func TestRengaTunnelLeadsToAnAddOn(t *testing.T) {
	t.Parallel()
	s := &story{T: t, w: kit.Platform(t, e2e.WithHosts())}
	_, err := services.Build(t.Context(), services.Redis7)
	s.must(err)
	s.start()
	s.api(http.StatusCreated, http.MethodPost, "/apps", map[string]any{"name": "users"})
	u := everyService[2]
	s.api(http.StatusCreated, http.MethodPost, "/apps/users/addons", u.order())
	s.isProvisioned(u)

	first := s.openTunnel("-a", "users", u.name())
	for i := range 3 {
		s.redisSays(first.url, "OK", "SET", fmt.Sprint("key", i), "from outside")
	}
	s.redisSays(first.url, "from outside", "GET", "key2")
	s.api(http.StatusOK, http.MethodPost, "/addons/"+u.name()+"/actions/rotate", map[string]any{})
	var second *openedTunnel
	s.poll(func() error {
		second = s.openTunnel("-a", "users", "REDIS")
		if loginIn(second.url) == loginIn(first.url) {
			return errors.New("the credential is the old one")
		}
		return nil
	})
	s.redisSays(second.url, "from outside", "GET", "key1")

	if out := s.tunnelRefused("-a", "users", "nothing"); !strings.Contains(out, "Couldn't find") {
		t.Errorf("an add-on that is not there: %s", out)
	}
	if out := s.tunnelRefused("-a", "others", u.name()); !strings.Contains(out, "Couldn't find that app") {
		t.Errorf("an app that is not there: %s", out)
	}
	if out := s.tunnelRefused(u.name()); !strings.Contains(out, "usage: renga tunnel") {
		t.Errorf("no app: %s", out)
	}
	s.api(http.StatusOK, http.MethodDelete, "/apps/users/addons/"+u.name(), map[string]any{"force": false})
	s.poll(func() error {
		if out, err := redisCLI(s, second.url, "GET", "key1"); err == nil && strings.Contains(out, "from outside") {
			return errors.New("the tunnel is open though the add-on is gone")
		}
		return nil
	})
}

// loginIn is the user and password of a URL.
func loginIn(url string) string {
	login, _, _ := strings.Cut(url, "@")
	return login
}

// openedTunnel is a program that goes on until the test ends.
type openedTunnel struct{ url string }

func (s *story) tunnelCommand(args ...string) *exec.Cmd {
	s.Helper()
	env, err := s.w.ClientEnv(s.Context())
	s.must(err)
	cmd := exec.Command(kit.Renga, append([]string{"tunnel"}, args...)...)
	cmd.Env = env
	return cmd
}

// openTunnel starts one, and waits for its URL.
func (s *story) openTunnel(args ...string) *openedTunnel {
	s.Helper()
	cmd := s.tunnelCommand(args...)
	out, err := cmd.StdoutPipe()
	s.must(err)
	var faults bytes.Buffer
	cmd.Stderr = &faults
	s.must(children.Start(cmd, syscall.SIGTERM))
	s.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended with the right
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if name, url, ok := strings.Cut(lines.Text(), "="); ok && strings.HasSuffix(name, "_URL") {
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the program
			return &openedTunnel{url}
		}
	}
	s.Fatalf("renga tunnel %v printed no URL: %s", args, faults.String())
	return nil
}

// tunnelRefused is what one says that does not come about.
func (s *story) tunnelRefused(args ...string) string {
	s.Helper()
	out, err := children.CombinedOutput(s.tunnelCommand(args...), syscall.SIGKILL)
	if err == nil {
		s.Errorf("renga tunnel %v succeeded: %s", args, out)
	}
	return string(out)
}

func redisCLI(s *story, url string, args ...string) (string, error) {
	cmd := exec.CommandContext(s.Context(), "redis-cli", append([]string{"--no-auth-warning", "-u", url}, args...)...)
	out, err := children.CombinedOutput(cmd, syscall.SIGKILL)
	return string(out), err
}

// redisSays checks what a Redis answers.
func (s *story) redisSays(url, want string, args ...string) {
	s.Helper()
	if out, err := redisCLI(s, url, args...); err != nil || strings.TrimSpace(out) != want {
		s.Errorf("%v through the tunnel: %q, %v; want %q", args, out, err, want)
	}
}
