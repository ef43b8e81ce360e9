package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"renga/e2e/services"
)

// TestADatabaseIsUpgradedUnderItsApp, whether it has a server of its own or shares one, and
// though Renga is killed at random moments of it: the dyno finds in the newer version what
// it wrote, and in the older one, once it goes back, what was there then.
func TestADatabaseIsUpgradedUnderItsApp(t *testing.T) {
	s := newStory(t)
	for _, image := range []string{services.Postgres15, services.Postgres17} {
		if _, err := services.Build(t.Context(), image); err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	s.pushClient("users")
	shared, own := everyService[0], everyService[1]
	for _, u := range []used{shared, own} {
		s.api(http.StatusCreated, http.MethodPost, "/apps/users/addons", u.order())
		s.isProvisioned(u)
		s.poll(func() error { return s.says("users", u.path("write", "first")+"&value=one", "written") })
	}
	releases := s.releases("users")
	for _, u := range []used{shared, own} {
		s.api(http.StatusAccepted, http.MethodPost, "/addons/"+u.name()+"/upgrade", map[string]any{"version": "17"})
	}
	for range 2 { // a third one would be too many
		<-time.After(rand.N(6 * time.Second)) // the randomness is the test
		s.must(s.w.Kill())
		s.must(s.w.Launch(quickly()...))
		s.must(s.w.WaitHealthy(t.Context()))
	}
	for _, u := range []used{shared, own} {
		s.serves17(u)
		s.usable(u, "newer")
	}
	if made := s.releases("users") - releases; made != 1 {
		t.Errorf("%d releases; want one, for the host of the shared server", made)
	}
	s.parts(2, 4) // of the older server only the volume is left, and so it is of the own one's

	for _, u := range []used{shared, own} {
		s.api(http.StatusAccepted, http.MethodPost, "/addons/"+u.name()+"/upgrade/actions/undo", map[string]any{"confirm": "users"})
		s.upgraded(u, "15", "17")
		s.reads(u, "first", "one")
		if err := s.says("users", u.path("read", "newer"), "two"); err == nil {
			t.Errorf("%s in version 15 has what was written into version 17", u.name())
		}
	}
	s.parts(2, 4)
	for _, u := range []used{shared, own} {
		s.ask(http.MethodDelete, "/apps/users/addons/"+u.name(), map[string]any{"force": false})
	}
	s.parts(0, 0)
}

// serves17 waits until a database is upgraded, and asks its server.
func (s *story) serves17(u used) {
	s.Helper()
	s.upgraded(u, "17", "15")
	u.version = "17"
	out, err := s.w.Docker(s.Context(), append(append([]string{"exec"}, s.containersOf(u)...),
		"psql", "-U", "postgres", "-Atc", "SHOW server_version")...)
	if s.must(err); !strings.HasPrefix(out, "17") {
		s.Errorf("%s has version %s", u.name(), out)
	}
}

// upgraded waits until a database serves in a version, and the other one is kept.
func (s *story) upgraded(u used, version, other string) {
	s.Helper()
	s.poll(func() error {
		var now struct {
			Version, State, Message string
			Other                   string `json:"other_version"`
		}
		body := s.api(http.StatusOK, http.MethodGet, "/addons/"+u.name()+"/upgrade", nil)
		s.must(json.Unmarshal(body, &now))
		if now.State == "failed" {
			s.Fatalf("%s: %s", u.name(), now.Message)
		}
		if now.State != "kept" || now.Version != version || now.Other != other {
			return fmt.Errorf("%s: %s", u.name(), body)
		}
		return nil
	})
}

// releases counts an app's releases.
func (s *story) releases(app string) int {
	s.Helper()
	var all []struct{ Version int }
	s.must(json.Unmarshal(s.api(http.StatusOK, http.MethodGet, "/apps/"+app+"/releases", nil), &all))
	return len(all)
}

// parts waits until add-ons have so many containers and volumes.
func (s *story) parts(containers, volumes int) {
	s.Helper()
	s.poll(func() error {
		c, v := s.ownedAll("ps", "--all", "--filter", "label=renga.kind=addon"), s.ownedAll("volume", "ls")
		if len(c) != containers || len(v) != volumes {
			return fmt.Errorf("%d containers and %d volumes; want %d and %d", len(c), len(v), containers, volumes)
		}
		return nil
	})
}
