package dynos

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// Access lets people run commands in running dynos, over SSH and over WebSocket.
type Access interface {
	// Exec readies a command for the client that has the secret.
	Exec(ctx context.Context, app renga.App, c Command) (secret string, err error)
	// Admit gives the user name for whoever has the private half of a key. Still
	// is asked each time that somebody comes with it and while they are there, and
	// tells why not.
	Admit(app renga.App, dyno, key string, still func(context.Context) error) (user string, err error)
	// HostKey is what the SSH server shows.
	HostKey() string
}

// Command is one that waits for its client in a running dyno.
type Command struct {
	Dyno     string
	Line     string        // for the dyno's shell; empty for a shell
	Terminal *renga.Window // nil for none
	// Still is asked when the client comes and while it is there, and tells why
	// it may be so no more.
	Still func(ctx context.Context) error
}

// commandRoutes are for clients of our own; Heroku has no such thing.
func (s *Server) commandRoutes() []wire.Route {
	return []wire.Route{wire.Post("/apps/{app}/dynos/{dyno}/exec", wire.SettingSecrets, s.runInDyno)}
}

// These are not of the Platform API: on Heroku another host answers them, which
// the CLI finds in HEROKU_EXEC_URL. The app's name is the user of Basic
// authentication.
func (s *Server) execRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/api/v2", wire.Reading, s.listReachable),
		wire.Put("/api/v2/{dyno}", wire.OnToken(renga.ScopeWriteProtected), s.enterDyno),
	}
}

// reachable is a dyno that people can enter.
type reachable struct {
	DynoName string `json:"dyno_name"`
}

// passage is how a client comes into a dyno. It goes to port 80.
type passage struct {
	TunnelHost     string `json:"tunnel_host"`
	ClientUser     string `json:"client_user"`
	ProxyPublicKey string `json:"proxy_public_key"`
	DynoIP         string `json:"dyno_ip"`
}

// appToEnter is the app that the request's user name names, with its dynos.
func (s *Server) appToEnter(r *http.Request) (renga.App, []renga.Dyno, error) {
	name, _, _ := r.BasicAuth()
	a, err := s.AppNamed(r, name, renga.MayOperate)
	if err != nil {
		return renga.App{}, nil, err
	}
	all, err := s.open(r, a)
	return a, all, err
}

// open are the dynos of an app that people can enter.
func (s *Server) open(r *http.Request, a renga.App) ([]renga.Dyno, error) {
	if !a.FeatureOn(renga.Exec) {
		return nil, renga.Errorf(renga.Forbidden, "The feature %s is off for the app %s.", renga.Exec, a.Name)
	}
	all, err := s.parts.Dynos.Dynos(r.Context(), a.ID)
	all = slices.DeleteFunc(all, func(d renga.Dyno) bool { return d.State != renga.Up && d.State != renga.Starting })
	return all, wire.OrNotFound(err, "app")
}

func (s *Server) listReachable(w http.ResponseWriter, r *http.Request) error {
	_, dynos, err := s.appToEnter(r)
	if err != nil {
		return err
	}
	shown := make([]reachable, 0, len(dynos))
	for _, d := range dynos {
		shown = append(shown, reachable{d.Name})
	}
	return wire.Answer(w, http.StatusOK, shown)
}

// reachableApp is the app whose dyno of that name people can enter.
func (s *Server) reachableApp(r *http.Request, dyno string) (renga.App, error) {
	a, dynos, err := s.appToEnter(r)
	if err == nil {
		err = oneOf(dynos, dyno)
	}
	return a, err
}

// oneOf makes sure that a dyno of that name is among them.
func oneOf(dynos []renga.Dyno, name string) error {
	if !slices.ContainsFunc(dynos, func(d renga.Dyno) bool { return d.Name == name }) {
		return wire.NotFound("dyno")
	}
	return nil
}

// again asks what a request has asked, when it is long over: whether its token
// is good still, and for this dyno.
func (s *Server) again(r *http.Request, dyno string) func(context.Context) error {
	return func(ctx context.Context) error {
		r, err := s.Again(ctx, r)
		if err != nil {
			return err
		}
		_, err = s.reachableApp(r, dyno)
		return err
	}
}

func (s *Server) enterDyno(w http.ResponseWriter, r *http.Request) error {
	name := mux.Vars(r)["dyno"]
	a, err := s.reachableApp(r, name)
	if err != nil {
		return err
	}
	var body struct {
		ClientKey string `json:"client_key"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	user, err := s.parts.Access.Admit(a, name, body.ClientKey, s.again(r, name))
	if err != nil {
		return err
	}
	s.Activity.Note(r.Context(), a.ID, wire.Caller(r).ID, "Session in "+name+" opened")
	s.Audit(r, "dyno visited", a.Name, "dyno", name)
	return wire.Answer(w, http.StatusOK, passage{
		TunnelHost: "api." + s.Domain, ClientUser: user, ProxyPublicKey: s.parts.Access.HostKey(),
	})
}

// commandOrder asks for a command in a running dyno.
type commandOrder struct {
	Command  string `json:"command"`
	Terminal *struct {
		Columns uint16 `json:"columns"`
		Rows    uint16 `json:"rows"`
	} `json:"terminal"`
}

// command is one that waits for its client.
type command struct {
	Command      string       `json:"command"`
	Dyno         wireNameOnly `json:"dyno"`
	WebsocketURL *string      `json:"websocket_url"`
}

type wireNameOnly struct {
	Name string `json:"name"`
}

// window is the terminal that is asked for, of a usual size where none is said.
func (o commandOrder) window() *renga.Window {
	if o.Terminal == nil {
		return nil
	}
	return &renga.Window{Columns: cmp.Or(o.Terminal.Columns, 80), Rows: cmp.Or(o.Terminal.Rows, 24)}
}

func (s *Server) runInDyno(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var order commandOrder
	if err := wire.Decode(r, &order); err != nil {
		return err
	}
	if len(order.Command) > renga.MaxCommand || strings.ContainsRune(order.Command, 0) {
		return wire.Invalid("Field \"command\" must be a command of at most %d bytes.", renga.MaxCommand)
	}
	dynos, err := s.open(r, a)
	if err != nil {
		return err
	}
	name := mux.Vars(r)["dyno"]
	if err := oneOf(dynos, name); err != nil {
		return err
	}
	secret, err := s.parts.Access.Exec(r.Context(), a, Command{
		Dyno: name, Line: order.Command, Terminal: order.window(), Still: s.StillMay(r, a.ID, wire.SettingSecrets),
	})
	if err != nil {
		return err
	}
	s.Activity.Note(r.Context(), a.ID, wire.Caller(r).ID, "Session in "+name+" opened")
	s.Audit(r, "dyno visited", a.Name, "dyno", name)
	_, url := s.attachURLs(secret)
	return wire.Answer(
		w, http.StatusCreated, command{Command: order.Command, Dyno: wireNameOnly{name}, WebsocketURL: url},
	)
}
