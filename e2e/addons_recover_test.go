package e2e_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"renga/e2e/services"
)

// TestRecoveredAddOnsAreTheSameOnes: Redis loses everything, the registry's notes
// bring the add-ons back with their containers and data, and what was destroyed
// before stays so, though its note was put back.
func TestRecoveredAddOnsAreTheSameOnes(t *testing.T) {
	s := newStory(t)
	_, err := services.Build(t.Context(), services.Redis7)
	s.must(err)
	s.start()
	s.pushClient("users")
	u := used{"redis", "REDIS_URL", "heroku-redis:mini", "heroku-redis:premium-0", "", services.Redis7, 6379, false}
	gone := u
	gone.config = "GONE_URL"
	for _, one := range []used{u, gone} {
		s.api(http.StatusCreated, http.MethodPost, "/apps/users/addons", one.order())
		s.isProvisioned(one)
	}
	s.poll(func() error { return s.says("users", u.path("write", "first")+"&value=one", "written") })
	notes := filepath.Join(s.w.Dir, "registry/docker/registry/v2/repositories/users/releases/_renga/addons")
	kept := filepath.Join(t.TempDir(), "notes")
	s.must(exec.Command("cp", "-a", notes, kept).Run())
	s.api(http.StatusOK, http.MethodDelete, "/apps/users/addons/"+gone.name(), nil)
	s.poll(func() error {
		if status, _ := s.ask(http.MethodGet, "/addons/"+gone.name(), nil); status != http.StatusNotFound {
			return fmt.Errorf("%s is there still: %d", gone.name(), status)
		}
		return nil
	})
	before := s.containersOf(u)

	s.must(exec.Command("cp", "-a", kept+"/.", notes).Run()) // whoever can write there
	s.must(exec.Command("redis-cli", "-s", filepath.Join(s.w.Dir, "redis/redis.sock"), "FLUSHALL").Run())
	said, _, err := s.w.Run(t.Context(), "recover")
	s.must(err)
	if !strings.Contains(said, "users: ") || !strings.Contains(said, ", 1 add-ons, owner operator@renga.localhost") {
		t.Errorf("renga recover says %s", said)
	}
	s.isProvisioned(u)
	if status, body := s.ask(http.MethodGet, "/addons/"+gone.name(), nil); status != http.StatusNotFound {
		t.Errorf("what was destroyed is back: %d %s", status, body)
	}
	s.reads(u, "first", "one")
	s.must(s.w.Kill())
	s.start()
	s.reads(u, "first", "one")
	if now := s.containersOf(u); !slices.Equal(now, before) {
		t.Errorf("its container is %q, before it was %q", now, before)
	}
	hash := s.hashOf(u.config)
	s.api(http.StatusOK, http.MethodPost, "/addons/"+u.name()+"/actions/rotate", map[string]any{})
	s.poll(func() error {
		if s.hashOf(u.config) == hash {
			return fmt.Errorf("%s is as it was", u.config)
		}
		return nil
	})
	s.usable(u, "rotated")
	s.api(http.StatusOK, http.MethodDelete, "/apps/users/addons/"+u.name(), nil)
	s.poll(func() error {
		if left := append(s.ownedAll("ps", "--all", "--filter", "label=renga.kind=addon"), s.ownedAll("volume", "ls")...); len(left) > 0 {
			return fmt.Errorf("left are %q", left)
		}
		return nil
	})
}
