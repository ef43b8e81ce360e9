package addons

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// People reach an app's add-ons through the platform, so that these need no port
// that everybody reaches. Whoever reads the app's config vars has what it takes to
// log in to them; so that right is what a tunnel takes, and it ends with it.

// Tunnels let clients connect to add-ons.
type Tunnels interface {
	// Reaches tells whether add-ons of that kind are reached at all.
	Reaches(a renga.AddOn) bool
	// Open gives a secret for WebSockets and a key for SSH. The same holder gets the
	// same ones again, and they end after an hour in which nobody used them.
	Open(holder string, t Tunnel) (secret, key string, err error)
}

// Tunnel is what a client connects to: an add-on, as an app's config var has it.
type Tunnel struct {
	App   renga.App
	AddOn renga.AddOn
	URL   *url.URL // with host, port and user
	// Still is called for each connection, and again while it lasts. Its error says
	// why there may be none any more.
	Still func(context.Context) error
}

// tunnelRoutes are for clients of Renga's own. Heroku has no such routes.
func (s *Server) tunnelRoutes() []wire.Route {
	return []wire.Route{wire.Post("/apps/{app}/addons/{addon}/tunnel", wire.ReadingSecrets, s.openTunnel)}
}

// tunnel is one as JSON.
type tunnel struct {
	AddOn        wire.Ref `json:"addon"`
	Name         string   `json:"name"` // of the config var
	URL          string   `json:"url"`  // its value
	WebsocketURL string   `json:"websocket_url"`
}

func (s *Server) openTunnel(w http.ResponseWriter, r *http.Request) error {
	app, err := s.AppOf(r)
	if err != nil {
		return err
	}
	at, err := s.attachedHere(r, app, mux.Vars(r)["addon"])
	if err != nil {
		return err
	}
	vars, err := s.credentialsOf(r.Context(), app.ID, at.of.ID)
	if err != nil {
		return err
	}
	name, to := addressIn(vars, at)
	if to == nil || !s.parts.Tunnels.Reaches(at.of) {
		return wire.Invalid("The add-on %s is not reached through the platform: it has no port here, or is not provisioned yet.", at.of.Name)
	}
	secret, _, err := s.open(r, app, at, to)
	if err != nil {
		return err
	}
	s.Activity.Note(r.Context(), app.ID, wire.Caller(r).ID, "Tunnel to "+at.of.Name+" opened")
	s.Audit(r, "add-on visited", app.Name, "add-on", at.of.Name)
	return wire.Answer(w, http.StatusCreated, tunnel{
		AddOn: wire.Ref{ID: string(at.of.ID), Name: at.of.Name}, Name: name, URL: vars[name],
		WebsocketURL: strings.Replace(s.WebURL("api"), "http", "ws", 1) + "attach/" + secret,
	})
}

// attachedHere is an attachment to the app by its name, the name of one of its
// config vars, or the add-on's name or id.
func (s *Server) attachedHere(r *http.Request, app renga.App, name string) (attached, error) {
	all, err := s.attachedTo(r.Context(), app.ID)
	if err != nil {
		return attached{}, err
	}
	found := firstOf(
		keep(all, func(at attached) bool { return s.called(at, name) }),
		keep(all, func(at attached) bool { return named(at.of, name) }),
	)
	if len(found) == 0 {
		return attached{}, missing()
	}
	return found[0], nil
}

// attachedTo are those of an app, whoever asks.
func (s *Server) attachedTo(ctx context.Context, app renga.AppID) ([]attached, error) {
	all, err := s.parts.AddOns.AddOnsOfApps(ctx, []renga.AppID{app})
	var found []attached
	for _, a := range all {
		for _, at := range a.Attachments {
			if at.App == app && !at.Leaving {
				found = append(found, attached{at, a})
			}
		}
	}
	return found, err
}

// credentialsOf are the config vars that an app has of an add-on.
func (s *Server) credentialsOf(ctx context.Context, app renga.AppID, id renga.AddOnID) (renga.Vars, error) {
	newest, err := s.parts.Releases.Newest(ctx, app)
	if err != nil {
		return nil, wire.OrNotFound(err, "app")
	}
	return newest.Inputs.Credentials[id].Vars, nil
}

// addressIn finds, of an attachment's config vars, the one that says where the add-on
// is; a nil URL for none.
func addressIn(vars renga.Vars, at attached) (name string, to *url.URL) {
	names := slices.DeleteFunc(vars.Names(), func(name string) bool { return !strings.HasPrefix(name, at.Name+"_") })
	for _, name := range append([]string{at.Name + "_URL"}, names...) {
		u, err := url.Parse(vars[name])
		if err != nil || u.Hostname() == "" || !strings.EqualFold(u.Hostname(), at.of.Host) && !sharedServer(u) {
			continue
		}
		if _, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
			return name, u
		}
	}
	return "", nil
}

// sharedServer tells whether a URL names a server that several add-ons are in.
func sharedServer(u *url.URL) bool {
	return strings.HasPrefix(u.Hostname(), renga.SharedServerPrefix) && strings.HasSuffix(u.Hostname(), renga.AddOnDomain)
}

// open opens a tunnel for the caller. It ends with the caller's right, with the
// attachment, and with the credential's next rotation.
func (s *Server) open(r *http.Request, app renga.App, at attached, to *url.URL) (secret, key string, err error) {
	pass, version := s.PassOf(r.Context()), versionOf(at.of, at.Attachment)
	by, err := json.Marshal(pass)
	if err != nil {
		return "", "", err
	}
	return s.parts.Tunnels.Open(fmt.Sprintf("%s %s %s %s %d", by, app.ID, at.of.ID, at.ID, version), Tunnel{
		App: app, AddOn: at.of, URL: to, Still: func(ctx context.Context) error {
			if err := s.CheckPass(ctx, pass, app.ID, wire.ReadingSecrets); err != nil {
				return err
			}
			return s.checkAttached(ctx, at, version)
		},
	})
}

// versionOf is that of the credential that an attachment gives; 0 for none yet.
func versionOf(a renga.AddOn, at renga.Attachment) int {
	if c := a.Credential(at.Credential); c != nil {
		return c.Version
	}
	return 0
}

// checkAttached is an error once an attachment, or the credential that it gave, has
// ended.
func (s *Server) checkAttached(ctx context.Context, at attached, version int) error {
	now, err := s.parts.AddOns.AddOn(ctx, at.of.ID)
	if err != nil {
		return s.orMissing(err)
	}
	left := now.Attachment(at.ID)
	switch {
	case left == nil || left.Leaving || now.State == renga.Deprovisioning || now.State == renga.Deprovisioned:
		return renga.Errorf(renga.Forbidden, "The add-on %s is no longer there for this app.", at.of.Name)
	case versionOf(now, *left) != version:
		return renga.Errorf(renga.Forbidden, "The credential of %s was replaced; open the tunnel anew.", at.of.Name)
	}
	return nil
}

// Suffixes of the config vars that Heroku's CLI looks for: where it comes in by SSH,
// and its key.
const (
	bastionHosts = "BASTIONS"
	bastionKey   = "BASTION_KEY"
)

// BastionVars are config vars with which Heroku's CLI reaches an app's add-ons. They
// are the caller's own, for an hour, and in no release. None where nobody comes in so.
func (s *Server) BastionVars(r *http.Request, app renga.App) (renga.Vars, error) {
	if s.parts.Bastion == "" {
		return nil, nil
	}
	all, err := s.attachedTo(r.Context(), app.ID)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	newest, err := s.parts.Releases.Newest(r.Context(), app.ID)
	if err != nil {
		return nil, wire.OrNotFound(err, "app")
	}
	vars := renga.Vars{}
	for _, at := range all {
		_, to := addressIn(newest.Inputs.Credentials[at.of.ID].Vars, at)
		if to == nil || !s.parts.Tunnels.Reaches(at.of) {
			continue
		}
		_, key, err := s.open(r, app, at, to)
		if err != nil {
			return nil, err
		}
		vars[at.Name+"_"+bastionHosts], vars[at.Name+"_"+bastionKey] = s.parts.Bastion, key
	}
	return vars, nil
}
