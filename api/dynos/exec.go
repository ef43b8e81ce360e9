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
	// Exec prepares a command, which starts when a client comes with the secret.
	Exec(ctx context.Context, app renga.App, c Command) (secret string, err error)
	// Admit lets the owner of an SSH key into a dyno, under the user name that it
	// returns. Still is called for each connection, and again while it lasts; its
	// error says why the client may no longer be there.
	Admit(app renga.App, dyno, key string, still func(context.Context) error) (user string, err error)
	// HostKey is the public key of the SSH server.
	HostKey() string
}

// Command is a command in a running dyno that waits for its client.
type Command struct {
	Dyno     string
	Line     string        // for the dyno's shell; empty for a shell
	Terminal *renga.Window // nil for none
	// Still is called when the client comes and while it is there. Its error says
	// why the client may no longer be there.
	Still func(ctx context.Context) error
}

// commandRoutes are for clients of Renga's own. Heroku has no such routes.
func (s *Server) commandRoutes() []wire.Route {
	return []wire.Route{wire.Post("/apps/{app}/dynos/{dyno}/exec", wire.SettingSecrets, s.runInDyno)}
}

// execRoutes are not part of the Platform API: on Heroku another host answers them,
// which the CLI finds in HEROKU_EXEC_URL. The app's name is the user name of Basic
// authentication.
func (s *Server) execRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/api/v2", wire.Reading, s.listExecDynos),
		wire.Put("/api/v2/{dyno}", wire.OnToken(renga.ScopeWriteProtected), s.enterDyno),
	}
}

// execDyno is a dyno that people can enter.
type execDyno struct {
	DynoName string `json:"dyno_name"`
}

// execAnswer tells the CLI how to enter a dyno. The CLI connects to port 80 of the
// tunnel's host.
type execAnswer struct {
	TunnelHost     string `json:"tunnel_host"`
	ClientUser     string `json:"client_user"`
	ProxyPublicKey string `json:"proxy_public_key"`
	DynoIP         string `json:"dyno_ip"`
}

// execApp gives the app that the request's user name names, with its dynos.
func (s *Server) execApp(r *http.Request) (renga.App, []renga.Dyno, error) {
	name, _, _ := r.BasicAuth()
	a, err := s.AppNamed(r, name, renga.MayOperate)
	if err != nil {
		return renga.App{}, nil, err
	}
	all, err := s.enterable(r, a)
	return a, all, err
}

// enterable gives the dynos of an app that people can enter.
func (s *Server) enterable(r *http.Request, a renga.App) ([]renga.Dyno, error) {
	if !a.FeatureOn(renga.Exec) {
		return nil, renga.Errorf(renga.Forbidden, "The feature %s is off for the app %s.", renga.Exec, a.Name)
	}
	all, err := s.parts.Dynos.Dynos(r.Context(), a.ID)
	all = slices.DeleteFunc(all, func(d renga.Dyno) bool { return d.State != renga.Up && d.State != renga.Starting })
	return all, wire.OrNotFound(err, "app")
}

func (s *Server) listExecDynos(w http.ResponseWriter, r *http.Request) error {
	_, dynos, err := s.execApp(r)
	if err != nil {
		return err
	}
	shown := make([]execDyno, 0, len(dynos))
	for _, d := range dynos {
		shown = append(shown, execDyno{d.Name})
	}
	return wire.Answer(w, http.StatusOK, shown)
}

// appOfDyno gives the app of the request, if people can enter its dyno of that
// name.
func (s *Server) appOfDyno(r *http.Request, dyno string) (renga.App, error) {
	a, dynos, err := s.execApp(r)
	if err == nil {
		err = hasDyno(dynos, dyno)
	}
	return a, err
}

// hasDyno is NotFound unless a dyno of that name is among them.
func hasDyno(dynos []renga.Dyno, name string) error {
	if !slices.ContainsFunc(dynos, func(d renga.Dyno) bool { return d.Name == name }) {
		return wire.NotFound("dyno")
	}
	return nil
}

// checkAgain checks after the end of a request whether its token is still good, and
// still for this dyno.
func (s *Server) checkAgain(r *http.Request, dyno string) func(context.Context) error {
	return func(ctx context.Context) error {
		r, err := s.Reauthenticate(ctx, r)
		if err != nil {
			return err
		}
		_, err = s.appOfDyno(r, dyno)
		return err
	}
}

func (s *Server) enterDyno(w http.ResponseWriter, r *http.Request) error {
	name := mux.Vars(r)["dyno"]
	a, err := s.appOfDyno(r, name)
	if err != nil {
		return err
	}
	var body struct {
		ClientKey string `json:"client_key"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	user, err := s.parts.Access.Admit(a, name, body.ClientKey, s.checkAgain(r, name))
	if err != nil {
		return err
	}
	s.Activity.Note(r.Context(), a.ID, wire.Caller(r).ID, "Session in "+name+" opened")
	s.Audit(r, "dyno visited", a.Name, "dyno", name)
	return wire.Answer(w, http.StatusOK, execAnswer{
		TunnelHost: "api." + s.Domain, ClientUser: user, ProxyPublicKey: s.parts.Access.HostKey(),
	})
}

// commandOrder is a body that asks for a command in a running dyno.
type commandOrder struct {
	Command  string `json:"command"`
	Terminal *struct {
		Columns uint16 `json:"columns"`
		Rows    uint16 `json:"rows"`
	} `json:"terminal"`
}

// command is a command that waits for its client, as JSON.
type command struct {
	Command      string   `json:"command"`
	Dyno         dynoName `json:"dyno"`
	WebsocketURL *string  `json:"websocket_url"`
}

type dynoName struct {
	Name string `json:"name"`
}

// window gives the size of the terminal that is asked for, with defaults.
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
	dynos, err := s.enterable(r, a)
	if err != nil {
		return err
	}
	name := mux.Vars(r)["dyno"]
	if err := hasDyno(dynos, name); err != nil {
		return err
	}
	secret, err := s.parts.Access.Exec(r.Context(), a, Command{
		Dyno: name, Line: order.Command, Terminal: order.window(), Still: s.StillAllowed(r, a.ID, wire.SettingSecrets),
	})
	if err != nil {
		return err
	}
	s.Activity.Note(r.Context(), a.ID, wire.Caller(r).ID, "Session in "+name+" opened")
	s.Audit(r, "dyno visited", a.Name, "dyno", name)
	_, url := s.attachURLs(secret)
	return wire.Answer(
		w, http.StatusCreated, command{Command: order.Command, Dyno: dynoName{name}, WebsocketURL: url},
	)
}
