package addons_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"renga"
	"renga/api/addons"
	"renga/api/wire"
	"renga/api/wire/wiretest"
)

// fakeTunnels notes who gets a tunnel to what.
type fakeTunnels struct {
	holders []string
	opened  []addons.Tunnel
}

// String is nothing, for a tunnel changes nothing.
func (f *fakeTunnels) String() string { return "" }

// Reaches all but what has no port.
func (f *fakeTunnels) Reaches(a renga.AddOn) bool { return a.Service != "disk" }

// Open notes it. The secret and the key are the holder's.
func (f *fakeTunnels) Open(holder string, t addons.Tunnel) (secret, key string, err error) {
	f.holders, f.opened = append(f.holders, holder), append(f.opened, t)
	return fmt.Sprintf("secret%d", len(f.opened)), "KEY OF " + t.AddOn.Name, nil
}

// tunnelled is a fixture with its tunnels.
func tunnelled(changes ...func(*wiretest.Seed)) (*fixture, *fakeTunnels) {
	f := newFixture(changes...)
	return f, f.Fakes[0].(*fakeTunnels)
}

const tunnelTo = "/apps/hello/addons/postgresql-curved-12345/tunnel"

func TestATunnelIsForWhoeverReadsTheAppsConfigVars(t *testing.T) {
	for _, c := range []struct {
		name, url, token string
		may              []renga.Permission
		status           int
	}{
		{"the owner", tunnelTo, "ada-token", nil, 201},
		{"by the attachment's name", "/apps/hello/addons/DATABASE/tunnel", "ada-token", nil, 201},
		{"by the config var's name", "/apps/hello/addons/DATABASE_URL/tunnel", "ada-token", nil, 201},
		{"a token that reads secrets", tunnelTo, "ada-token/read-protected", nil, 201},
		{"a token that reads", tunnelTo, "ada-token/read", nil, 403},
		{"a token that writes", tunnelTo, "ada-token/write", nil, 403},
		{"who deploys", tunnelTo, "carol-token", []renga.Permission{renga.MayView, renga.MayDeploy}, 201},
		{"who views", tunnelTo, "carol-token", []renga.Permission{renga.MayView}, 403},
		{"a stranger", tunnelTo, "carol-token", nil, 403},
		{"another app's add-on", "/apps/hello/addons/redis-round-54321/tunnel", "ada-token", nil, 404},
		{"another app's attachment", "/apps/hello/addons/LEDGER/tunnel", "ada-token", nil, 404},
		{"another app's add-on by its id", "/apps/hello/addons/" + string(wiretest.BobsCache) + "/tunnel", "ada-token", nil, 404},
		{"one that is not attached", "/apps/hello/addons/redis-flat-11111/tunnel", "ada-token", nil, 404},
		{"one without a URL yet", "/apps/shop/addons/LEDGER/tunnel", "ada-token", nil, 422},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, tunnels := tunnelled(carol(c.may...))
			sc := scenario{Method: "POST", URL: c.url, Status: c.status, Headers: wiretest.Bearer(c.token)}
			if c.status == 201 {
				sc.Has = []string{
					wiretest.DatabaseURL, `"name":"DATABASE_URL"`, `"websocket_url":"ws://api.renga.localhost:5000/attach/secret1"`,
				}
			} else {
				sc.HasNot = []string{wiretest.Marker, "secret1"}
			}
			sc.Play(t, f)
			if opened := len(tunnels.opened); (opened == 1) != (c.status == 201) {
				t.Errorf("%d tunnels were opened", opened)
			}
		})
	}
}

func TestATunnelEndsWithTheRightToIt(t *testing.T) {
	edit := func(f *fixture, edit func(*renga.AddOn)) error {
		return f.DB.EditAddOns(t.Context(), []renga.AddOnID{wiretest.Database}, func(all map[renga.AddOnID]*renga.AddOn) error {
			edit(all[wiretest.Database])
			return nil
		})
	}
	for name, end := range map[string]func(f *fixture) error{
		"collaborator removed": func(f *fixture) error {
			_, err := f.DB.UpdateApp(t.Context(), wiretest.Hello, func(a *renga.App) error {
				a.Collaborators = nil
				return nil
			})
			return err
		},
		"token removed": func(f *fixture) error {
			all, err := f.DB.Authorizations(t.Context(), wiretest.Carol.ID)
			for _, a := range all {
				err = errors.Join(err, f.DB.DeleteAuthorization(t.Context(), wiretest.Carol.ID, a.ID))
			}
			return err
		},
		"credential rotated": func(f *fixture) error {
			return edit(f, func(a *renga.AddOn) {
				a.Credentials[0].State = renga.CredentialRevoking
				a.Credentials = append(a.Credentials, renga.Credential{Name: renga.DefaultCredential, Version: 2, State: renga.CredentialActive})
			})
		},
		"detached": func(f *fixture) error {
			return edit(f, func(a *renga.AddOn) { a.Attachment(wiretest.AsDatabase).Leaving = true })
		},
		"being removed": func(f *fixture) error { return edit(f, func(a *renga.AddOn) { a.State = renga.Deprovisioning }) },
		"removed":       func(f *fixture) error { return f.DB.RemoveAddOn(t.Context(), wiretest.Database) },
	} {
		t.Run(name, func(t *testing.T) {
			f, tunnels := tunnelled(carol(renga.MayView, renga.MayDeploy))
			scenario{Method: "POST", URL: tunnelTo, Status: 201, Headers: wiretest.Bearer("carol-token"), Has: []string{"secret1"}}.Play(t, f)
			still := tunnels.opened[0].Still
			if err := still(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := end(f); err != nil {
				t.Fatal(err)
			}
			err := still(t.Context())
			if kind := renga.KindOf(err); kind != renga.Forbidden && kind != renga.NotFound {
				t.Errorf("still allowed: %v", err)
			}
		})
	}
}

// bastioned is a fixture that serves also the config vars of callers' own.
func bastioned(bastion string, changes ...func(*wiretest.Seed)) (*fixture, *fakeTunnels) {
	r, tunnels := wiretest.New(append([]func(*wiretest.Seed){wiretest.AddAll}, changes...)...), &fakeTunnels{}
	return r.Mount(func(d *wire.Door) []wire.Route {
		server := addons.New(d, addons.Parts{
			Catalogue: wiretest.Catalogue, AddOns: r.DB, Releases: r.Releaser, Tunnels: tunnels, Bastion: bastion,
		})
		return append(server.Routes(), wire.Get("/apps/{app}/own", wire.ReadingSecrets,
			func(w http.ResponseWriter, r *http.Request) error {
				app, err := server.AppOf(r)
				if err != nil {
					return err
				}
				vars, err := server.BastionVars(r, app)
				if err != nil {
					return err
				}
				return wire.Answer(w, http.StatusOK, wire.NewConfigVars(vars))
			}))
	}), tunnels
}

func TestTheCLIsWayIsTheCallersOwn(t *testing.T) {
	f, tunnels := bastioned("db.example.com", carol(renga.MayView, renga.MayDeploy))
	for _, token := range []string{"ada-token", "ada-token", "carol-token", "ada-token/read-protected"} {
		scenario{URL: "/apps/hello/own", Headers: wiretest.Bearer(token), Has: []string{
			`{"DATABASE_BASTIONS":"db.example.com","DATABASE_BASTION_KEY":"KEY OF postgresql-curved-12345"}`,
		}}.Play(t, f)
	}
	if h := tunnels.holders; len(h) != 4 || h[0] != h[1] || h[0] == h[2] {
		t.Errorf("keys are held by %q", h)
	}
	to := tunnels.opened[0]
	if to.URL.Host != "postgresql-curved-12345.internal:5432" || to.URL.User.Username() != "u1" || to.AddOn.ID != wiretest.Database {
		t.Errorf("the key leads to %s of %s", to.URL.Host, to.AddOn.Name)
	}
	for _, token := range []string{"ada-token/read", "bob-token"} {
		scenario{URL: "/apps/hello/own", Headers: wiretest.Bearer(token), Status: 403, HasNot: []string{"KEY"}}.Play(t, f)
	}
	scenario{URL: "/apps/shop/own", Has: []string{`{}`}}.Play(t, f) // it has no URL yet
	scenario{
		URL: "/apps/hello/addons", Has: []string{`"config_vars":["DATABASE_URL"]`}, HasNot: []string{"KEY OF"},
	}.Play(t, f)
	scenario{
		URL: "/apps/other/addons", Headers: wiretest.AsBob,
		Has: []string{`"config_vars":["REDIS_BASTIONS","REDIS_BASTION_KEY","REDIS_URL"]`},
	}.Play(t, f)
	f, tunnels = bastioned("")
	scenario{URL: "/apps/hello/own", HasNot: []string{"BASTION"}}.Play(t, f)
	scenario{URL: "/apps/hello/addons", HasNot: []string{"BASTION"}}.Play(t, f)
	if len(tunnels.opened) > 0 {
		t.Error("there are keys that nobody can use")
	}
}
