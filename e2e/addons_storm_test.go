package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"renga/e2e/services"
)

// addOn is one as the API shows it.
type addOn struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	State string `json:"state"`
}

// TestKilledWhileAddOnsAreMadeNothingIsLostAndNothingIsLeft asks for add-ons to be
// made, rotated and destroyed, and kills the platform at random moments of it. In
// the end each that is there has one container, one volume and the data that were
// in it, and lets in exactly whoever has the app's config vars; of those that
// were destroyed nothing is left.
func TestKilledWhileAddOnsAreMadeNothingIsLostAndNothingIsLeft(t *testing.T) {
	s := newStory(t)
	if _, err := services.Build(t.Context(), services.Redis7); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.api(http.StatusCreated, http.MethodPost, "/apps", map[string]any{"name": "storm"})
	s.addOn("first")
	s.provisioned("first")
	s.redis("first", "SET", "kept", "here")
	asked := []string{"first"}
	for round := range 6 {
		name := fmt.Sprintf("round-%d", round)
		s.addOn(name)
		asked = append(asked, name)
		s.ask(http.MethodPost, "/addons/first/actions/rotate", map[string]any{})
		if round%2 == 1 {
			s.ask(http.MethodDelete, "/apps/storm/addons/"+asked[1], map[string]any{"force": false})
			asked = slices.Delete(asked, 1, 2)
		}
		<-time.After(rand.N(1500 * time.Millisecond)) // the randomness is the test
		s.must(s.w.Kill())
		s.must(s.w.Launch(quickly()...))
		s.must(s.w.WaitHealthy(t.Context()))
	}
	s.poll(func() error { return s.same(asked) })
	for _, name := range asked {
		s.redis(name, "SET", "mine", name)
		if got := s.redis(name, "GET", "mine"); got != name {
			t.Errorf("%s has %q", name, got)
		}
	}
	if got := s.redis("first", "GET", "kept"); got != "here" {
		t.Errorf("the data of the first are %q", got)
	}
	s.poll(func() error { // the credentials that rotations replaced have ended
		if users := strings.Fields(s.asAdmin("first", "ACL", "USERS")); len(users) != 2 {
			return fmt.Errorf("users %v, want the platform's and the app's", users)
		}
		return nil
	})
	for _, name := range asked {
		s.ask(http.MethodDelete, "/apps/storm/addons/"+name, map[string]any{"force": false})
	}
	s.poll(func() error { return s.same(nil) })
	if vars := s.configVars(); len(vars) != 0 {
		t.Errorf("the app still has %d config vars", len(vars))
	}
}

// addOn asks for a Redis of that name for the app storm, attached under that name.
func (s *story) addOn(name string) {
	s.Helper()
	s.api(http.StatusCreated, http.MethodPost, "/apps/storm/addons", map[string]any{
		"plan": "heroku-redis:mini", "name": name, "attachment": map[string]any{"name": attachmentOf(name)},
	})
}

func attachmentOf(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

// provisioned waits until an add-on is.
func (s *story) provisioned(name string) {
	s.Helper()
	s.poll(func() error {
		var a addOn
		s.must(json.Unmarshal(s.api(http.StatusOK, http.MethodGet, "/apps/storm/addons/"+name, nil), &a))
		if a.State != "provisioned" {
			return fmt.Errorf("%s is %s", name, a.State)
		}
		return nil
	})
}

// same tells whether exactly these add-ons are there, provisioned, with a running
// container and a volume each.
func (s *story) same(names []string) error {
	status, answer, err := s.w.API(s.Context(), http.MethodGet, "/apps/storm/addons", nil)
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("%d %w", status, err)
	}
	var all []addOn
	if err := json.Unmarshal(answer, &all); err != nil {
		return err
	}
	var there []string
	for _, a := range all {
		if a.State != "provisioned" {
			return fmt.Errorf("%s is %s", a.Name, a.State)
		}
		there = append(there, a.Name)
	}
	slices.Sort(there)
	want := slices.Sorted(slices.Values(names))
	if !slices.Equal(there, want) {
		return fmt.Errorf("there are %v, want %v", there, want)
	}
	containers := s.ownedAll("ps", "--all", "--filter", "label=renga.kind=addon")
	running := s.ownedAll("ps", "--filter", "label=renga.kind=addon")
	volumes := s.ownedAll("volume", "ls")
	if len(containers) != len(names) || len(running) != len(names) || len(volumes) != len(names) {
		return fmt.Errorf("%d containers, %d of them running, and %d volumes for %d add-ons", len(containers), len(running),
			len(volumes), len(names))
	}
	return nil
}

// configVars are those of the app storm.
func (s *story) configVars() map[string]string {
	s.Helper()
	var vars map[string]string
	s.must(json.Unmarshal(s.api(http.StatusOK, http.MethodGet, "/apps/storm/config-vars", nil), &vars))
	return vars
}

// redis asks an add-on with the credential that the app has.
func (s *story) redis(name string, command ...string) string {
	s.Helper()
	u, err := url.Parse(s.configVars()[attachmentOf(name)+"_URL"])
	s.must(err)
	password, _ := u.User.Password()
	client := []string{"redis-cli", "--user", u.User.Username(), "--pass", password, "--no-auth-warning"}
	return s.inAddOn(name, append(client, command...)...)
}

// asAdmin asks an add-on as the platform does.
func (s *story) asAdmin(name string, command ...string) string {
	s.Helper()
	client := []string{"sh", "-c", `REDISCLI_AUTH=$(cat /etc/renga/admin) exec redis-cli "$@"`, "sh"}
	return s.inAddOn(name, append(client, command...)...)
}

// inAddOn runs a program in an add-on's container.
func (s *story) inAddOn(name string, argv ...string) string {
	s.Helper()
	ids := s.ownedAll("ps", "--filter", "label=renga.addon-name="+name)
	if len(ids) != 1 {
		s.Fatalf("%d containers of %s", len(ids), name)
	}
	out, err := s.w.Docker(s.Context(), append([]string{"exec", ids[0]}, argv...)...)
	s.must(err)
	return strings.TrimSpace(out)
}
