package imports

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

func (s *Server) importRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/imports", wire.Looking, s.listImports),
		wire.Get("/apps/{app}/imports/{import}", wire.Looking, s.importInfo),
		wire.Post("/apps/{app}/imports/{import}/actions/replay", wire.Pushing, s.replayImport),
	}
}

// imported is an import as JSON.
type imported struct {
	App           wire.Ref     `json:"app"`
	Attempts      int          `json:"attempts"`
	BytesCopied   int64        `json:"bytes_copied"`
	BytesTotal    int64        `json:"bytes_total"`
	CreatedAt     string       `json:"created_at"`
	Delivery      *string      `json:"delivery"`
	Digest        *string      `json:"digest"`
	ID            string       `json:"id"`
	Image         *string      `json:"image"`
	NextAttemptAt *string      `json:"next_attempt_at"`
	Process       string       `json:"process_type"`
	Reason        *string      `json:"reason"`
	Release       *releaseRef  `json:"release"` // null if none was needed
	Rule          *wire.OnlyID `json:"registry_webhook"`
	State         string       `json:"state"`
	UpdatedAt     string       `json:"updated_at"`
	User          wire.Person  `json:"user"`
}

type releaseRef struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
}

// Show makes JSON of an import.
func (s *Server) Show(ctx context.Context, a renga.App, i renga.Import) (any, error) {
	return s.show(ctx, a, i, s.People())
}

func (s *Server) show(ctx context.Context, a renga.App, i renga.Import, known *wire.People) (imported, error) {
	by, err := known.Find(ctx, i.By)
	shown := imported{
		App: wire.AppRef(a), Attempts: i.Attempts, BytesCopied: i.Copied, BytesTotal: i.Total,
		CreatedAt: wire.Stamp(i.CreatedAt), Delivery: wire.OrNull(i.Delivery), Digest: wire.OrNull(i.Digest), ID: i.ID,
		Image: wire.OrNull(i.Image), Process: string(i.Process), Reason: wire.OrNull(i.Reason), State: string(i.State),
		UpdatedAt: wire.Stamp(i.UpdatedAt), User: by,
	}
	if !i.State.Over() {
		shown.NextAttemptAt = wire.StampOrNull(i.NextAttempt)
	}
	if i.Version > 0 {
		shown.Release = &releaseRef{wire.ReleaseID(i.App, i.Version), i.Version}
	}
	if i.Rule != "" {
		shown.Rule = &wire.OnlyID{ID: i.Rule}
	}
	return shown, err
}

func (s *Server) listImports(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	all, err := s.parts.Imports.Imports(r.Context(), a.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	known := s.People()
	show := func(i renga.Import) (imported, error) { return s.show(r.Context(), a, i, known) }
	return wire.ListAs(w, r, all, wire.Each(show),
		wire.ByTime("created_at", func(i renga.Import) (time.Time, string) { return i.CreatedAt, i.ID }),
		wire.By("id", func(i renga.Import) string { return i.ID }))
}

func (s *Server) importInfo(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	all, err := s.parts.Imports.Imports(r.Context(), a.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	id := strings.ToLower(mux.Vars(r)["import"])
	at := slices.IndexFunc(all, func(i renga.Import) bool { return i.ID == id })
	if at < 0 {
		return wire.NotFound("import")
	}
	shown, err := s.Show(r.Context(), a, all[at])
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, shown)
}

// replayImport asks for the same once more, in the caller's name.
func (s *Server) replayImport(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	i, err := s.parts.Importer.Replay(r.Context(), a.ID, strings.ToLower(mux.Vars(r)["import"]), wire.Caller(r).ID)
	if err != nil {
		return wire.OrNotFound(err, "import")
	}
	s.Audit(r, "import replayed", a.Name, "import", i.ID, "image", i.Image)
	shown, err := s.Show(r.Context(), a, i)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusAccepted, shown)
}
