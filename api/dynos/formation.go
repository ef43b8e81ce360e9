package dynos

import (
	"context"
	"maps"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// Formations keeps the number and the size of each process type's dynos.
type Formations interface {
	Formation(ctx context.Context, app renga.AppID) (renga.Formation, error)
	// SetFormation lets edit change the formation in place, and stores all of it or
	// nothing. Edit may run several times; its error is returned.
	SetFormation(ctx context.Context, app renga.AppID, edit func(renga.Formation) error) (renga.Formation, error)
}

// Images finds images that were pushed.
type Images interface {
	// Find gives the images that belong to what ref names: the digest of an image's
	// config, of its manifest or of an index, or a tag of the process type's
	// repository. Invalid when there is none.
	Find(ctx context.Context, app string, t renga.ProcessType, ref string) (map[renga.ProcessType]renga.Image, error)
}

// Deployer releases images that were pushed.
type Deployer interface {
	// Deploy makes a release, or returns the newest one when d changes nothing.
	Deploy(ctx context.Context, app renga.AppID, d renga.Deploy, by renga.AccountID) (renga.Release, error)
}

func (s *Server) formationRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/formation", wire.Looking, s.listFormation),
		wire.Patch(
			"/apps/{app}/formation", wire.OnApp(renga.ScopeWrite, renga.MayDeploy, renga.MayOperate),
			s.updateFormation,
		),
		wire.Get("/apps/{app}/formation/{type}", wire.Looking, s.formationInfo),
		wire.Patch(
			"/apps/{app}/formation/{type}", wire.OnApp(renga.ScopeWrite, renga.MayDeploy, renga.MayOperate),
			s.updateProcess,
		),
	}
}

// formation is one process type as JSON.
type formation struct {
	App       wire.Ref `json:"app"`
	Command   string   `json:"command"`
	CreatedAt string   `json:"created_at"`
	DynoSize  wire.Ref `json:"dyno_size"`
	ID        string   `json:"id"`
	Quantity  int      `json:"quantity"`
	Size      string   `json:"size"`
	Type      string   `json:"type"`
	UpdatedAt string   `json:"updated_at"`
}

func newFormation(a renga.App, t renga.ProcessType, scale renga.Scale, command []string) formation {
	return formation{
		App: wire.AppRef(a), Command: renga.CommandLine(command), CreatedAt: wire.Stamp(scale.CreatedAt),
		DynoSize: sizeRef(scale.Size), ID: wire.FormationID(a.ID, t),
		Quantity: scale.Quantity, Size: shownSize(scale.Size), Type: string(t), UpdatedAt: wire.Stamp(scale.UpdatedAt),
	}
}

// processes are the process types of an app's newest release, with its formation.
type processes struct {
	app     renga.App
	images  map[renga.ProcessType]renga.Image
	mounts  []renga.Mount
	usual   renga.Scale // that of a process type without an entry
	entries renga.Formation
}

func (s *Server) processesOf(r *http.Request) (processes, error) {
	a, err := s.AppOf(r)
	if err != nil {
		return processes{}, err
	}
	entries, err := s.parts.Formations.Formation(r.Context(), a.ID)
	if err != nil {
		return processes{}, wire.OrNotFound(err, "app")
	}
	newest, err := s.NewestOf(r.Context(), a.ID)
	if err != nil {
		return processes{}, err
	}
	p := processes{app: a, usual: renga.Scale{Size: renga.DefaultSize}, entries: renga.Formation{}}
	if newest != nil {
		p.images, p.mounts = newest.Images, newest.Mounts
		p.usual.CreatedAt, p.usual.UpdatedAt = newest.CreatedAt, newest.CreatedAt
	}
	return p.with(entries), nil
}

// with gives the formation: entries, and defaults for the release's process types
// without one.
func (p processes) with(entries renga.Formation) processes {
	all := renga.Formation{}
	for t := range p.images {
		scale := p.usual
		if t == renga.Web { // its first release is about to be made
			scale.Quantity = 1
		}
		all[t] = scale
	}
	maps.Copy(all, entries)
	p.entries = all
	return p
}

// find gives the process type with that name or id.
func (p processes) find(identity string) (renga.ProcessType, error) {
	for t := range p.entries {
		if identity == string(t) || strings.EqualFold(identity, wire.FormationID(p.app.ID, t)) {
			return t, nil
		}
	}
	return "", wire.NotFound("process type")
}

func (p processes) wire(t renga.ProcessType) formation {
	return newFormation(p.app, t, p.entries[t], p.images[t].Command)
}

func (p processes) wires() []formation {
	all := make([]formation, 0, len(p.entries))
	for _, t := range p.entries.Types() {
		all = append(all, p.wire(t))
	}
	return all
}

func (s *Server) listFormation(w http.ResponseWriter, r *http.Request) error {
	p, err := s.processesOf(r)
	if err != nil {
		return err
	}
	return wire.List(w, r, p.wires(),
		wire.By("type", func(f formation) string { return f.Type }),
		wire.By("id", func(f formation) string { return f.ID }))
}

func (s *Server) formationInfo(w http.ResponseWriter, r *http.Request) error {
	p, err := s.processesOf(r)
	if err != nil {
		return err
	}
	t, err := p.find(mux.Vars(r)["type"])
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, p.wire(t))
}
