package events

import (
	"context"
	"net/http"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// Drains keeps the apps' log drains.
type Drains interface {
	Drains(ctx context.Context, app renga.AppID) ([]renga.Drain, error)
	// AddDrain is Invalid if the app has this drain already, or too many.
	AddDrain(ctx context.Context, d renga.Drain) error
	RemoveDrain(ctx context.Context, app renga.AppID, id string) error
}

func (s *Server) logDrainRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/log-drains", wire.ReadingSecrets, s.listDrains),
		wire.Post("/apps/{app}/log-drains", wire.SettingSecrets, s.createDrain),
		// The path names a drain by its id, its token, or its URL, escaped.
		wire.Get("/apps/{app}/log-drains/{drain:.+}", wire.ReadingSecrets, s.drainInfo),
		wire.Delete("/apps/{app}/log-drains/{drain:.+}", wire.SettingSecrets, s.deleteDrain),
	}
}

// logDrain is a drain as JSON.
type logDrain struct {
	AddOn     *wire.Ref `json:"addon"`
	App       *wire.Ref `json:"app"`
	CreatedAt string    `json:"created_at"`
	ID        string    `json:"id"`
	Token     string    `json:"token"`
	UpdatedAt string    `json:"updated_at"`
	URL       string    `json:"url"`
}

func newLogDrain(a renga.App, d renga.Drain) logDrain {
	app := wire.AppRef(a)
	return logDrain{
		App: &app, CreatedAt: wire.Stamp(d.CreatedAt), ID: d.ID, Token: d.Token, UpdatedAt: wire.Stamp(d.UpdatedAt),
		URL: d.URL,
	}
}

// drainsOf gives the drains of the path's app.
func (s *Server) drainsOf(r *http.Request) (renga.App, []renga.Drain, error) {
	a, err := s.AppOf(r)
	if err != nil {
		return renga.App{}, nil, err
	}
	drains, err := s.parts.Drains.Drains(r.Context(), a.ID)
	return a, drains, wire.OrNotFound(err, "app")
}

// drainOf finds the drain of the path.
func (s *Server) drainOf(r *http.Request) (renga.App, renga.Drain, error) {
	a, drains, err := s.drainsOf(r)
	if err != nil {
		return renga.App{}, renga.Drain{}, err
	}
	identity := mux.Vars(r)["drain"]
	for _, d := range drains {
		if identity == d.ID || identity == d.Token || identity == d.URL {
			return a, d, nil
		}
	}
	return renga.App{}, renga.Drain{}, wire.NotFound("log drain")
}

func (s *Server) listDrains(w http.ResponseWriter, r *http.Request) error {
	a, drains, err := s.drainsOf(r)
	if err != nil {
		return err
	}
	shown := make([]logDrain, 0, len(drains))
	for _, d := range drains {
		shown = append(shown, newLogDrain(a, d))
	}
	return wire.List(w, r, shown, wire.By("id", func(d logDrain) string { return d.ID }))
}

func (s *Server) drainInfo(w http.ResponseWriter, r *http.Request) error {
	a, d, err := s.drainOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newLogDrain(a, d))
}

func (s *Server) createDrain(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var body struct {
		URL string `json:"url"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if err := renga.ValidateDrainURL(body.URL); err != nil {
		return err
	}
	now := s.Now().UTC()
	d := renga.Drain{
		ID: uuid.NewString(), App: a.ID, URL: body.URL, Token: "d." + uuid.NewString(), CreatedAt: now,
		UpdatedAt: now,
	}
	if err := s.parts.Drains.AddDrain(r.Context(), d); err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.parts.Drainer.Reconcile(a.ID)
	s.Audit(r, "log drain added", a.Name, "drain", d.Token)
	return wire.Answer(w, http.StatusCreated, newLogDrain(a, d))
}

func (s *Server) deleteDrain(w http.ResponseWriter, r *http.Request) error {
	a, d, err := s.drainOf(r)
	if err != nil {
		return err
	}
	if err := s.parts.Drains.RemoveDrain(r.Context(), a.ID, d.ID); err != nil {
		return wire.OrNotFound(err, "log drain")
	}
	s.parts.Drainer.Reconcile(a.ID)
	s.Audit(r, "log drain removed", a.Name, "drain", d.Token)
	return wire.Answer(w, http.StatusOK, newLogDrain(a, d))
}
