package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"renga/e2e/services"
)

// used is an add-on as an app uses it.
type used struct {
	service, config string // what the client and the app call it
	plan, larger    string
	version         string // empty for the catalogue's
	image           string // of the tests
	port            int
	forgets         bool // when it ends: it has no volume, or keeps what is read once
}

// everyService are those of the catalogue, and PostgreSQL with a server of its own
// beside the shared one.
var everyService = []used{
	{"postgres", "DATABASE_URL", "heroku-postgresql:essential-0", "heroku-postgresql:essential-1", "15", services.Postgres15, 5432, false},
	{"postgres", "OWN_URL", "heroku-postgresql:standard-0", "heroku-postgresql:standard-2", "15", services.Postgres15, 5432, false},
	{"redis", "REDIS_URL", "heroku-redis:mini", "heroku-redis:premium-0", "", services.Redis7, 6379, false},
	{"memcached", "MEMCACHEDCLOUD_PASSWORD", "memcachedcloud:30", "memcachedcloud:100", "", services.Memcached16, 11211, true},
	{"mysql", "MYSQL_URL", "mysql:kitefin", "mysql:leopard", "", services.MariaDB1011, 3306, false},
	{"amqp", "CLOUDAMQP_URL", "cloudamqp:lemur", "cloudamqp:tiger", "3.10", services.RabbitMQ310, 5672, true},
	{"mongo", "MONGODB_URI", "mongodb:sandbox", "mongodb:shared-cluster-1", "", services.Mongo7, 27017, false},
	{"elasticsearch", "ELASTICSEARCH_URL", "elasticsearch:sandbox", "elasticsearch:standard", "", services.Elasticsearch813, 9200, false},
}

// name is what the add-on is called.
func (u used) name() string { return strings.ToLower(strings.Split(u.config, "_")[0]) + "-addon" }

// attachment is the name of its attachment.
func (u used) attachment() string { return strings.Split(u.config, "_")[0] }

// TestADynoUsesEveryServiceByItsConfigVarsAlone writes and reads with each service's
// usual client, in a real dyno that knows no more than its config vars: at first,
// after the credentials were rotated, after the service was killed, after its plan
// changed, and never from an app that does not have it attached.
func TestADynoUsesEveryServiceByItsConfigVarsAlone(t *testing.T) {
	s := newStory(t)
	for _, u := range everyService {
		if _, err := services.Build(t.Context(), u.image); err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	s.pushClient("users")
	s.pushClient("strangers")
	for _, u := range everyService {
		s.api(http.StatusCreated, http.MethodPost, "/apps/users/addons", u.order())
		s.isProvisioned(u)
	}
	for _, u := range everyService {
		s.poll(func() error { return s.says("users", u.path("write", "first")+"&value=one", "written") })
		if !u.forgets {
			s.reads(u, "first", "one")
		}
	}
	for _, u := range everyService {
		before := s.hashOf(u.config)
		s.api(http.StatusOK, http.MethodPost, "/addons/"+u.name()+"/actions/rotate", map[string]any{})
		s.poll(func() error {
			if s.hashOf(u.config) == before {
				return fmt.Errorf("%s is as it was", u.config)
			}
			return nil
		})
		s.usable(u, "rotated")
	}
	for _, u := range everyService {
		s.killService(u)
		s.usable(u, "killed")
	}
	for _, u := range everyService {
		s.api(http.StatusOK, http.MethodPatch, "/apps/users/addons/"+u.name(), map[string]any{"plan": u.larger})
		s.isProvisioned(u)
		s.usable(u, "larger")
	}
	for _, u := range everyService {
		s.unreachable(u)
	}
	for _, u := range everyService {
		s.ask(http.MethodDelete, "/apps/users/addons/"+u.name(), map[string]any{"force": false})
	}
	s.poll(func() error {
		containers, volumes := s.ownedAll("ps", "--all", "--filter", "label=renga.kind=addon"), s.ownedAll("volume", "ls")
		if len(containers)+len(volumes) > 0 {
			return fmt.Errorf("%d containers and %d volumes are left", len(containers), len(volumes))
		}
		return nil
	})
}

// pushClient makes an app of the client of all services.
func (s *story) pushClient(app string) {
	s.Helper()
	s.must(s.tryPush(app, s.clientImage(), http.DefaultTransport))
	s.poll(func() error { return s.says(app, "/", "client") })
}

// clientImage is the client of all services.
func (s *story) clientImage() v1.Image {
	s.Helper()
	_, err := services.Build(s.Context(), services.Client)
	s.must(err)
	file := filepath.Join(s.TempDir(), "client.tar")
	_, err = s.w.Docker(s.Context(), "save", "--output", file, services.Client)
	s.must(err)
	img, err := tarball.ImageFromPath(file, nil)
	s.must(err)
	return img
}

// order asks for the add-on.
func (u used) order() map[string]any {
	options := map[string]string{}
	if u.version != "" {
		options["version"] = u.version
	}
	return map[string]any{
		"plan": u.plan, "name": u.name(), "attachment": map[string]any{"name": u.attachment()}, "config": options,
	}
}

func (s *story) isProvisioned(u used) {
	s.Helper()
	s.poll(func() error {
		var a addOn
		s.must(json.Unmarshal(s.api(http.StatusOK, http.MethodGet, "/apps/users/addons/"+u.name(), nil), &a))
		if a.State != "provisioned" {
			return fmt.Errorf("%s is %s", u.name(), a.State)
		}
		return nil
	})
}

// path asks the client to do something with a key.
func (u used) path(verb, key string) string {
	variable := u.config
	if u.service == "memcached" {
		variable = u.attachment()
	}
	return "/" + u.service + "/" + verb + "?var=" + variable + "&key=" + key
}

func (s *story) reads(u used, key, value string) {
	s.Helper()
	s.poll(func() error { return s.says("users", u.path("read", key), value) })
}

// usable waits until the app writes and reads, and finds what it wrote at first.
func (s *story) usable(u used, key string) {
	s.Helper()
	s.poll(func() error { return s.says("users", u.path("write", key)+"&value=two", "written") })
	s.reads(u, key, "two")
	if !u.forgets {
		s.reads(u, "first", "one")
	}
}

// hashOf is what a dyno that serves has as a config var, as a hash.
func (s *story) hashOf(name string) string {
	s.Helper()
	answer, err := s.w.Get(s.Context(), "users", "/env?name="+name)
	s.must(err)
	if answer.Status != http.StatusOK {
		s.Fatalf("%s: %d %s", name, answer.Status, answer.Body)
	}
	return string(answer.Body)
}

// containersOf are those of an add-on: its own, or that of the server it shares.
func (s *story) containersOf(u used) []string {
	s.Helper()
	own := s.ownedAll("ps", "--filter", "label=renga.addon-name="+u.name())
	if len(own) == 0 {
		own = s.ownedAll("ps", "--filter", "label=renga.addon-name=postgresql-shared-"+u.version)
	}
	if len(own) != 1 {
		s.Fatalf("%d containers of %s", len(own), u.name())
	}
	return own
}

func (s *story) killService(u used) {
	s.Helper()
	_, err := s.w.Docker(s.Context(), append([]string{"kill"}, s.containersOf(u)...)...)
	s.must(err)
}

// unreachable checks that an app without the add-on reaches it neither by its name
// nor by any address of its container.
func (s *story) unreachable(u used) {
	s.Helper()
	out, err := s.w.Docker(s.Context(), append([]string{
		"inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"}, s.containersOf(u)...)...)
	s.must(err)
	addresses := strings.Fields(out)
	if len(addresses) == 0 {
		s.Fatalf("%s has no address", u.name())
	}
	for _, host := range slices.Concat(addresses, []string{u.name() + ".internal", "postgresql-shared-15.internal"}) {
		answer, err := s.w.Get(s.Context(), "strangers", fmt.Sprintf("/dial?addr=%s:%d", host, u.port))
		s.must(err)
		if answer.Status != http.StatusBadGateway {
			s.Errorf("another app reaches %s at %s: %d %s", u.name(), host, answer.Status, answer.Body)
		}
	}
	answer, err := s.w.Get(s.Context(), "users", fmt.Sprintf("/dial?addr=%s:%d", addresses[0], u.port))
	s.must(err)
	if answer.Status != http.StatusOK {
		s.Errorf("the app itself does not reach %s: %d %s", u.name(), answer.Status, answer.Body)
	}
}
