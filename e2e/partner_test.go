package e2e_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// partner is a provider of add-ons as there are on Heroku: a program that knows
// nothing of the platform but its URL.
type partner struct {
	*story
	program, url string
}

// newPartner builds the program, and registers it with the platform, which does not
// run yet. It gives the directory of services.
func newPartner(s *story) (*partner, string) {
	s.Helper()
	dir := s.TempDir()
	p := &partner{story: s, program: filepath.Join(dir, "testpartner"), url: "http://" + s.freePort()}
	if out, err := exec.Command("go", "build", "-o", p.program, "renga/addons/partner/testpartner").CombinedOutput(); err != nil {
		s.Fatalf("%v: %s", err, out)
	}
	services, secrets := filepath.Join(dir, "services"), filepath.Join(dir, "secrets.json")
	s.must(os.Mkdir(services, 0o700))
	s.must(os.WriteFile(secrets, []byte(`{"password": "marker-password", "sso_salt": "marker-sso-salt",
		"client_secret": "marker-client-secret"}`), 0o600))
	s.must(os.WriteFile(filepath.Join(services, "errorbucket.yaml"), []byte(`
service: errorbucket
name: Errorbucket
description: Keeps errors.
provider: partner
attachment: ERRORBUCKET
plans: [{name: test}, {name: large}]
partner:
  base_url: `+p.url+`/heroku/resources
  sso_url: `+p.url+`/sso/login
  secrets: `+secrets+"\n"), 0o600))
	return p, services
}

// run runs the program until the test ends.
func (p *partner) run() {
	p.Helper()
	cmd := exec.Command(p.program)
	cmd.Env = []string{
		"ADDON_SLUG=errorbucket", "ADDON_PASSWORD=marker-password", "ADDON_SSO_SALT=marker-sso-salt",
		"ADDON_CLIENT_SECRET=marker-client-secret", "HEROKU_API_URL=http://" + p.w.Addr,
		"ADDON_STATE=" + p.program + ".json", "ADDON_LISTEN=" + strings.TrimPrefix(p.url, "http://"),
	}
	cmd.Stderr = p.Output()
	out, err := cmd.StdoutPipe()
	p.must(err)
	p.must(cmd.Start())
	p.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone
		_ = cmd.Wait()         // killed is no success
	})
	_, err = bufio.NewReader(out).ReadString('\n')
	p.must(err)
}

// control tells the program something.
func (p *partner) control(path, body string) {
	p.Helper()
	res, err := http.Post(p.url+"/control/"+path, "application/json", strings.NewReader(body))
	p.must(err)
	defer res.Body.Close()
	if said, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		p.Fatalf("%s: %d %s", path, res.StatusCode, said)
	}
}

// resource is what the program keeps of an add-on.
type resource struct {
	Plan, Password, Access string
	Faults                 []string
	Gone                   bool
	Events                 []struct {
		Resource string `json:"resource"`
		Data     struct {
			Description string `json:"description"`
		} `json:"data"`
	}
}

func (p *partner) keeps(id string) resource {
	p.Helper()
	res, err := http.Get(p.url + "/control/state")
	p.must(err)
	defer res.Body.Close()
	var state struct{ Resources map[string]resource }
	p.must(json.NewDecoder(res.Body).Decode(&state))
	return state.Resources[id]
}

// sees waits until the app's config var is the partner's.
func (p *partner) sees(id string) {
	p.Helper()
	p.poll(func() error {
		r := p.keeps(id)
		var vars map[string]string
		p.must(json.Unmarshal(p.api(http.StatusOK, http.MethodGet, "/apps/hello/config-vars", nil), &vars))
		want := "bucket://" + r.Plan + ":" + r.Password + "@bucket.example/" + id
		if got := vars["ERRORBUCKET_URL"]; got != want || len(r.Faults) > 0 {
			return fmt.Errorf("the app has %q, want %q; the partner saw %q", got, want, r.Faults)
		}
		return nil
	})
}

// TestAPartnersProgramProvides has a program that was written for Heroku provide an
// add-on later, rotate it, be told of the app, and lose it, with the platform killed
// in the middle.
func TestAPartnersProgramProvides(t *testing.T) {
	s := newStory(t)
	p, services := newPartner(s)
	s.start("--addons="+services, "--egress-allow=127.0.0.0/8")
	p.run()
	p.control("behave", `{"async": true, "manual": true}`)
	s.api(http.StatusCreated, http.MethodPost, "/apps", map[string]any{"name": "hello"})
	var made addOn
	s.must(json.Unmarshal(s.api(http.StatusCreated, http.MethodPost, "/apps/hello/addons",
		map[string]any{"plan": "errorbucket", "config": map[string]any{"foo": "bar"}}), &made))
	s.poll(func() error {
		if p.keeps(made.ID).Plan == "" {
			return errors.New("the partner is not asked")
		}
		return nil
	})
	s.must(s.w.Kill())
	s.must(s.w.Launch(quickly("--addons="+services, "--egress-allow=127.0.0.0/8")...))
	s.must(s.w.WaitHealthy(t.Context()))
	p.control("finish/"+made.ID, "{}")
	p.sees(made.ID)
	p.control("subscribe/"+made.ID, "{}")
	p.control("rotate/"+made.ID, "{}")
	p.sees(made.ID)
	s.poll(func() error {
		for _, e := range p.keeps(made.ID).Events {
			if e.Resource == "release" && e.Data.Description == "Update ERRORBUCKET by errorbucket" {
				return nil
			}
		}
		return fmt.Errorf("the partner is told of %v", p.keeps(made.ID).Events)
	})
	p.opened(made)
	p.confined(made)
	s.api(http.StatusOK, http.MethodPatch, "/apps/hello/addons/"+made.ID, map[string]any{"plan": "errorbucket:large"})
	p.sees(made.ID)
	if got := p.keeps(made.ID).Plan; got != "large" {
		t.Errorf("the partner has plan %s", got)
	}
	s.api(http.StatusOK, http.MethodDelete, "/apps/hello/addons/"+made.ID, nil)
	if !p.keeps(made.ID).Gone {
		t.Error("the partner still has it")
	}
	if log := s.w.Log(); strings.Contains(log, "marker") || strings.Contains(log, p.keeps(made.ID).Access) {
		t.Error("a secret is in the log")
	}
}

// opened follows the form that opens the add-on.
func (p *partner) opened(a addOn) {
	p.Helper()
	var form struct {
		Action string
		Params map[string]string
	}
	p.must(json.Unmarshal(p.api(http.StatusOK, http.MethodGet, "/apps/hello/addons/"+a.ID+"/sso", nil), &form))
	values := url.Values{}
	for name, value := range form.Params {
		values.Set(name, value)
	}
	res, err := http.PostForm(form.Action, values)
	p.must(err)
	defer res.Body.Close()
	if said, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK || !strings.Contains(string(said), `"app":"hello"`) {
		p.Errorf("%d %s", res.StatusCode, said)
	}
}

// confined tries the partner's token elsewhere.
func (p *partner) confined(a addOn) {
	p.Helper()
	token := p.keeps(a.ID).Access
	for _, c := range [][2]string{
		{"GET", "/apps"}, {"GET", "/apps/hello"}, {"GET", "/apps/hello/config-vars"}, {"GET", "/account"},
		{"DELETE", "/apps/hello/addons/" + a.ID}, {"GET", "/addons"}, {"GET", "/addons/" + a.Name},
		{"POST", "/oauth/authorizations"}, {"GET", "/addons/01234567-89ab-4def-8123-456789abcdef/config"},
	} {
		got, err := p.w.APIAs(p.Context(), token, c[0], c[1], map[string]any{})
		p.must(err)
		if !slices.Contains([]int{http.StatusForbidden, http.StatusUnauthorized}, got.Status) {
			p.Errorf("a partner's token at %s %s: %d %s", c[0], c[1], got.Status, got.Body)
		}
	}
	if got, err := p.w.APIAs(p.Context(), token, http.MethodGet, "/addons/"+a.ID, nil); err != nil || got.Status != http.StatusOK {
		p.Errorf("and at its own add-on: %d %s, %v", got.Status, got.Body, err)
	}
}
