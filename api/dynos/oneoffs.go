package dynos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"renga"
	"renga/api/wire"
)

// OneOffs runs one-off dynos.
type OneOffs interface {
	// RunOneOff runs a command in the live release. An attached dyno waits for the
	// client that has the secret. Still is called when that comes and while it is
	// there; its error says why the client may no longer be there.
	RunOneOff(
		ctx context.Context, app renga.App, asked renga.OneOff, still func(context.Context) error,
	) (d renga.Dyno, secret string, err error)
}

func (s *Server) oneOffRoutes() []wire.Route {
	return []wire.Route{
		wire.Post("/apps/{app}/dynos", wire.SettingSecrets, s.runDyno),
		wire.Post("/apps/{app}/dynos/{dyno}/actions/stop", wire.Operating, s.restartDyno),
		// Heroku's CLI sends this for a process type; the schema does not have it.
		wire.Post("/apps/{app}/formations/{type}/actions/stop", wire.Operating, s.restartProcess),
	}
}

// attachRoutes are for the clients of attached dynos.
func (s *Server) attachRoutes() []wire.Route {
	return []wire.Route{wire.Get("/attach/{secret}", wire.Open, func(w http.ResponseWriter, r *http.Request) error {
		s.parts.Attach.ServeHTTP(w, r)
		return nil
	})}
}

// dynoOrder is the body of a request for a one-off dyno.
type dynoOrder struct {
	Attach     bool              `json:"attach"`
	Command    string            `json:"command"`
	Env        looseVars         `json:"env"`
	ForceNoTTY bool              `json:"force_no_tty"`
	Size       *string           `json:"size"`
	DynoSize   *sizeAsked        `json:"dyno_size"`
	Type       renga.ProcessType `json:"type"`
	TimeToLive *int              `json:"time_to_live"`
}

// looseVars are variables whose values may be numbers, because the CLI sends the
// size of a terminal as numbers.
type looseVars renga.Vars

// UnmarshalJSON reads strings and numbers, and leaves out null.
func (v *looseVars) UnmarshalJSON(b []byte) error {
	var raw map[string]any
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if d.Decode(&raw) != nil {
		return wire.Invalid("Field \"env\" must be an object of strings.")
	}
	*v = looseVars{}
	for name, value := range raw {
		switch value := value.(type) {
		case string:
			(*v)[name] = value
		case json.Number:
			(*v)[name] = value.String()
		case nil:
		default:
			return wire.Invalid("Field \"env\" must be an object of strings.")
		}
	}
	return nil
}

// exitSuffix is what Heroku's CLI appends to a command to learn its exit code.
// Renga writes the exit code itself, so that an image needs no shell for it, and so
// that it arrives in one piece.
const exitSuffix = `; echo "` + "\uFFFF" + ` heroku-command-exit-status: $?"`

func (s *Server) oneOff(o dynoOrder) (renga.OneOff, error) {
	asked := renga.OneOff{Type: o.Type, Env: renga.Vars(o.Env), Attach: o.Attach}
	command, marked := strings.CutSuffix(strings.TrimSpace(o.Command), exitSuffix)
	asked.Command, asked.MarkExit = strings.TrimSpace(command), marked
	if n := len(asked.Command); n == 0 || n > renga.MaxCommand || strings.ContainsRune(asked.Command, 0) {
		return asked, wire.Invalid("Field \"command\" must be a command of 1 to %d bytes.", renga.MaxCommand)
	}
	if err := renga.ValidateVars(asked.Env); err != nil {
		return asked, err
	}
	var err error
	if asked.Size, err = s.sizeOf(o.Size, o.DynoSize); err != nil {
		return asked, err
	}
	if o.TimeToLive != nil {
		if asked.Lasts = time.Duration(*o.TimeToLive) * time.Second; *o.TimeToLive < 1 ||
			asked.Lasts > renga.MaxOneOff {
			return asked, wire.Invalid(
				"Field \"time_to_live\" must be from 1 to %.0f seconds.", renga.MaxOneOff.Seconds(),
			)
		}
	}
	asked.Terminal = o.terminal()
	return asked, nil
}

// terminal gives the size of the client's terminal; nil if the client wants none.
func (o dynoOrder) terminal() *renga.Window {
	var w renga.Window
	_, err := fmt.Sscan(o.Env["COLUMNS"], &w.Columns)
	if err != nil || w.Columns == 0 || !o.Attach || o.ForceNoTTY {
		return nil
	}
	if _, err := fmt.Sscan(o.Env["LINES"], &w.Rows); err != nil || w.Rows == 0 {
		w.Rows = 24
	}
	return &w
}

func (s *Server) runDyno(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var order dynoOrder
	if err := wire.Decode(r, &order); err != nil {
		return err
	}
	asked, err := s.oneOff(order)
	if err != nil {
		return err
	}
	d, secret, err := s.parts.OneOffs.RunOneOff(r.Context(), a, asked, s.StillAllowed(r, a.ID, wire.SettingSecrets))
	if err != nil {
		return err
	}
	s.Audit(r, "dyno run", a.Name, "dyno", d.Name, "attached", asked.Attach)
	shown := newDyno(a, d)
	shown.AttachURL, shown.WebsocketURL = s.attachURLs(secret)
	return wire.Answer(w, http.StatusCreated, shown)
}

// attachURLs are where a client reaches an attached dyno: one for Heroku's CLI,
// which needs TLS, and one for all others.
func (s *Server) attachURLs(secret string) (rendezvous, websocket *string) {
	if secret == "" {
		return nil, nil
	}
	url := strings.Replace(s.WebURL("api"), "http", "ws", 1) + "attach/" + secret
	if s.parts.RendezvousPort != "" {
		at := fmt.Sprintf("rendezvous://api.%s:%s/%s", s.Domain, s.parts.RendezvousPort, secret)
		rendezvous = &at
	}
	return rendezvous, &url
}

// commandOf gives a dyno's command as users wrote it. That of a one-off dyno runs
// in a shell.
func commandOf(d renga.Dyno) string {
	if (d.Type == renga.Run || d.Type == renga.Scheduler) && len(d.Command) == 3 && d.Command[0] == "/bin/sh" &&
		d.Command[1] == "-c" {
		return d.Command[2]
	}
	return renga.CommandLine(d.Command)
}
