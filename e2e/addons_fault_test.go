package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"renga/e2e/services"
)

var (
	faultyRedis    = used{"redis", "REDIS_URL", "heroku-redis:mini", "", "", services.Redis7, 6379, false}
	faultyDatabase = used{"postgres", "DATABASE_URL", "heroku-postgresql:essential-0", "", "15", services.Postgres15, 5432, false}
	faultyDisk     = used{"file", "DISK_PATH", "disk:small", "", "", "", 0, false}
	// unbuilt has an image that is neither here nor to be had.
	unbuilt = used{"postgres", "LOST_URL", "heroku-postgresql:standard-0", "", "13", "", 5432, false}
)

// TestAddOnsStayWhatHappensAround them: a deploy, whose release command writes to the
// database before the new dyno is there; one writer of the disk at a time; an engine
// that ends with all that runs on it. And a service without an image says so, and
// leaves nothing.
func TestAddOnsStayWhatHappensAround(t *testing.T) {
	s := newStory(t)
	for _, image := range []string{services.Redis7, services.Postgres15} {
		_, err := services.Build(t.Context(), image)
		s.must(err)
	}
	g := s.newGate()
	g.open(s)
	s.start(g.flag())
	s.pushClient("users")
	for _, u := range []used{faultyRedis, faultyDatabase, faultyDisk} {
		s.api(http.StatusCreated, http.MethodPost, "/apps/users/addons", u.order())
		s.isProvisioned(u)
	}
	for _, u := range []used{faultyRedis, faultyDatabase, faultyDisk} {
		s.poll(func() error { return s.says("users", u.path("write", "first")+"&value=one", "written") })
	}
	s.releaseCommandWrites()
	s.diskHasOneWriter()
	s.engineEndsAndComesBack(g)
	s.imageIsGone()
}

// releaseCommandWrites pushes a release command that uses the database.
func (s *story) releaseCommandWrites() {
	s.Helper()
	img := mutateCommand(s, s.clientImage(), "write", "postgres", "migrated", "yes")
	s.must(s.tryPush("users/release", img, http.DefaultTransport))
	s.reads(faultyDatabase, "migrated", "yes")
	s.reads(faultyDisk, "first", "one")
}

// diskHasOneWriter deploys, and looks at the engine's own events.
func (s *story) diskHasOneWriter() {
	s.Helper()
	began := time.Now()
	s.set("users", map[string]any{"COLOUR": "red"})
	s.poll(func() error {
		if s.hashIsSet("COLOUR") {
			return nil
		}
		return fmt.Errorf("the new release does not serve")
	})
	s.reads(faultyDisk, "first", "one")
	var app struct{ ID string }
	s.must(json.Unmarshal(s.api(http.StatusOK, http.MethodGet, "/apps/users", nil), &app))
	out, err := s.w.Docker(s.Context(), "events", "--since", stamp(began), "--until", stamp(time.Now()), "--filter", "type=container",
		"--filter", "label=renga.app="+app.ID, "--filter", "event=start", "--filter", "event=die",
		"--format", `{{.Action}} {{index .Actor.Attributes "renga.type"}}`)
	s.must(err)
	writers, starts := 1, 0
	for line := range strings.Lines(out) {
		switch strings.TrimSpace(line) {
		case "start web":
			writers++
			starts++
		case "die web":
			writers--
		}
		if writers > 1 {
			s.Fatalf("two dynos write to one disk:\n%s", out)
		}
	}
	if writers != 1 || starts == 0 {
		s.Fatalf("the engine told of %d starts, and %d writers are left:\n%s", starts, writers, out)
	}
}

// engineEndsAndComesBack takes the engine away and ends all that ran on it, as an
// engine does that ends without live-restore.
func (s *story) engineEndsAndComesBack(g *gate) {
	s.Helper()
	g.shut()
	running := s.ownedAll("ps")
	_, err := s.w.Docker(s.Context(), append([]string{"kill"}, running...)...)
	s.must(err)
	g.open(s)
	for _, u := range []used{faultyRedis, faultyDatabase, faultyDisk} {
		s.usable(u, "after")
	}
	s.must(s.w.WaitHealthy(s.Context()))
}

// imageIsGone asks for an add-on that cannot be made, reads why, and destroys it.
func (s *story) imageIsGone() {
	s.Helper()
	containers, volumes := len(s.ownedAll("ps", "--all", "--filter", "label=renga.kind=addon")), len(s.ownedAll("volume", "ls"))
	s.api(http.StatusCreated, http.MethodPost, "/apps/users/addons", unbuilt.order())
	s.poll(func() error {
		var a struct {
			State   string
			Message string `json:"provision_message"`
		}
		s.must(json.Unmarshal(s.api(http.StatusOK, http.MethodGet, "/addons/"+unbuilt.name(), nil), &a))
		if a.State != "provisioning" || !strings.Contains(a.Message, `Docker cannot pull the image "postgres:13"`) {
			return fmt.Errorf("it is %s, and says %q", a.State, a.Message)
		}
		return nil
	})
	s.api(http.StatusOK, http.MethodDelete, "/apps/users/addons/"+unbuilt.name(), nil)
	s.poll(func() error {
		if status, _ := s.ask(http.MethodGet, "/addons/"+unbuilt.name(), nil); status != http.StatusNotFound {
			return fmt.Errorf("it is there still: %d", status)
		}
		return nil
	})
	nowContainers := len(s.ownedAll("ps", "--all", "--filter", "label=renga.kind=addon"))
	if nowVolumes := len(s.ownedAll("volume", "ls")); nowContainers != containers || nowVolumes != volumes {
		s.Errorf("%d containers and %d volumes, before it was asked for %d and %d", nowContainers, nowVolumes, containers, volumes)
	}
	s.reads(faultyDatabase, "first", "one")
}

// hashIsSet tells whether the dyno that serves has a config var.
func (s *story) hashIsSet(name string) bool {
	answer, err := s.w.Get(s.Context(), "users", "/env?name="+name)
	return err == nil && answer.Status == http.StatusOK
}

// mutateCommand is an image with other arguments.
func mutateCommand(s *story, img v1.Image, args ...string) v1.Image {
	s.Helper()
	file, err := img.ConfigFile()
	s.must(err)
	config := file.Config
	config.Cmd = args
	img, err = mutate.Config(img, config)
	s.must(err)
	return img
}

// stamp is a moment as docker events takes it.
func stamp(at time.Time) string {
	return strconv.FormatInt(at.Unix(), 10) + fmt.Sprintf(".%09d", at.Nanosecond())
}
