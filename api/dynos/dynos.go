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

// Dynos gives the dynos that run, and restarts them.
type Dynos interface {
	Dynos(ctx context.Context, app renga.AppID) ([]renga.Dyno, error)
	// Restart replaces dynos: one by its name, those of a process type, or all with
	// renga.RestartAll.
	Restart(ctx context.Context, app renga.AppID, key string) error
}

func (s *Server) dynoRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/dynos", wire.Looking, s.listDynos),
		wire.Delete("/apps/{app}/dynos", wire.Operating, s.restartAll),
		wire.Get("/apps/{app}/dynos/{dyno}", wire.Looking, s.dynoInfo),
		wire.Delete("/apps/{app}/dynos/{dyno}", wire.Operating, s.restartDyno),
		// Heroku's CLI sends this for a process type; the schema does not have it.
		wire.Delete("/apps/{app}/formations/{type}", wire.Operating, s.restartProcess),
	}
}

// dyno is a dyno as JSON. Heroku's schema does not have Exit and WebsocketURL.
type dyno struct {
	App       wire.Ref   `json:"app"`
	AttachURL *string    `json:"attach_url"`
	Command   string     `json:"command"`
	CreatedAt string     `json:"created_at"`
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Release   releaseRef `json:"release"`
	Size      string     `json:"size"`
	State     string     `json:"state"`
	Type      string     `json:"type"`
	UpdatedAt string     `json:"updated_at"`

	Exit *exit `json:"exit"`
	// WebsocketURL is where an attached one-off dyno waits for clients other than
	// Heroku's CLI.
	WebsocketURL *string `json:"websocket_url"`
}

// exit is how a crashed dyno's process ended.
type exit struct {
	Code        int      `json:"code"`
	OutOfMemory bool     `json:"out_of_memory"`
	LastLines   []string `json:"last_lines"`
}

// releaseRef refers to a release inside another resource.
type releaseRef struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
}

func newDyno(a renga.App, d renga.Dyno) dyno {
	return dyno{
		App: wire.AppRef(a), Command: commandOf(d), CreatedAt: wire.Stamp(d.Created), ID: d.ID, Name: d.Name,
		Release: releaseRef{ID: wire.ReleaseID(a.ID, d.Release), Version: d.Release}, Size: shownSize(d.Size),
		State: string(d.State), Type: string(d.Type), UpdatedAt: wire.Stamp(d.Since), Exit: (*exit)(d.Exit),
	}
}

// dynosOf gives the dynos of the path's app, by type and number.
func (s *Server) dynosOf(r *http.Request) (renga.App, []renga.Dyno, error) {
	a, err := s.AppOf(r)
	if err != nil {
		return renga.App{}, nil, err
	}
	all, err := s.parts.Dynos.Dynos(r.Context(), a.ID)
	if err != nil {
		return renga.App{}, nil, wire.OrNotFound(err, "app")
	}
	slices.SortFunc(all, func(x, y renga.Dyno) int {
		return cmp.Or(cmp.Compare(x.Type, y.Type), cmp.Compare(number(x), number(y)), x.Created.Compare(y.Created))
	})
	return a, all, nil
}

// number gives n of "web.n". Names of another form come first.
func number(d renga.Dyno) int {
	_, n, err := renga.ParseDynoName(d.Name)
	if err != nil {
		return 0
	}
	return n
}

// dynoOf finds the dyno of the path by its name or id. While a release takes over,
// two dynos may have the name; it gives the newer one.
func (s *Server) dynoOf(r *http.Request) (renga.App, renga.Dyno, error) {
	a, all, err := s.dynosOf(r)
	if err != nil {
		return renga.App{}, renga.Dyno{}, err
	}
	identity := mux.Vars(r)["dyno"]
	for _, d := range slices.Backward(all) {
		if d.Name == identity || d.ID == identity {
			return a, d, nil
		}
	}
	return renga.App{}, renga.Dyno{}, wire.NotFound("dyno")
}

func (s *Server) listDynos(w http.ResponseWriter, r *http.Request) error {
	a, all, err := s.dynosOf(r)
	if err != nil {
		return err
	}
	shown := make([]dyno, 0, len(all))
	for _, d := range all {
		shown = append(shown, newDyno(a, d))
	}
	return wire.List(w, r, shown, byDynoName(), wire.By("id", func(d dyno) string { return d.ID }))
}

// byDynoName orders web.10 after web.2.
func byDynoName() wire.Column[dyno] {
	key := func(name string) string {
		t, n, err := renga.ParseDynoName(name)
		if err != nil {
			return name
		}
		return string(t) + "." + wire.NumberKey(n)
	}
	return wire.Column[dyno]{
		Field: "name",
		Key:   func(d dyno) string { return key(d.Name) + "/" + d.ID },
		Bound: func(value string, above bool) (string, error) {
			name, id, exact := strings.Cut(value, "/")
			switch {
			case exact:
				return key(name) + "/" + id, nil
			case above:
				return key(name) + wire.AboveAll, nil
			}
			return key(name), nil
		},
	}
}

func (s *Server) dynoInfo(w http.ResponseWriter, r *http.Request) error {
	a, d, err := s.dynoOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newDyno(a, d))
}

func (s *Server) restartAll(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	return s.restart(w, r, a, renga.RestartAll)
}

func (s *Server) restartDyno(w http.ResponseWriter, r *http.Request) error {
	a, d, err := s.dynoOf(r)
	if err != nil {
		return err
	}
	return s.restart(w, r, a, d.Name)
}

func (s *Server) restartProcess(w http.ResponseWriter, r *http.Request) error {
	p, err := s.processesOf(r)
	if err != nil {
		return err
	}
	t, err := p.find(mux.Vars(r)["type"])
	if err != nil {
		return err
	}
	return s.restart(w, r, p.app, string(t))
}

// restart stores the order and answers. The dyno manager replaces the dynos
// afterwards.
func (s *Server) restart(w http.ResponseWriter, r *http.Request, a renga.App, key string) error {
	if err := s.parts.Dynos.Restart(r.Context(), a.ID, key); err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Reconciler.Reconcile(a.ID)
	s.Audit(r, "dynos restarted", a.Name, "which", key)
	return wire.Answer(w, http.StatusAccepted, wire.Empty{})
}
