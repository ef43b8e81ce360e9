package apps

import (
	"context"
	"net/http"

	"renga"
	"renga/api/wire"
)

// Apps keeps the apps.
type Apps interface {
	// UpdateApp lets edit change an app, and sets its time of update. Edit may run
	// several times; its error is returned.
	UpdateApp(ctx context.Context, id renga.AppID, edit func(*renga.App) error) (renga.App, error)
}

// Creator makes apps with their first release.
type Creator interface {
	// CreateApp invents a name if it is empty; Conflict if another app has the
	// name.
	CreateApp(ctx context.Context, name string, by renga.AccountID) (renga.App, error)
}

// Deleter deletes apps with all that belongs to them.
type Deleter interface {
	DeleteApp(ctx context.Context, id renga.AppID) error
}

// Renamer renames apps.
type Renamer interface {
	// Rename is Conflict if another app has the name. It does nothing if the app
	// has it.
	Rename(ctx context.Context, id renga.AppID, name string) (renga.App, error)
}

func (s *Server) appRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps", wire.Reading, s.listApps),
		wire.Post("/apps", wire.Writing, s.createApp(asApp)),
		wire.Get("/users/{account}/apps", wire.Reading, s.listApps),
		wire.Get("/apps/{app}", wire.Looking, s.appInfo(asApp)),
		wire.Patch("/apps/{app}", wire.Operating, s.updateApp),
		wire.Delete("/apps/{app}", wire.OnApp(renga.ScopeWrite, renga.MayManage), s.deleteApp),
	}
}

// app is an app as JSON. The last two fields are not in Heroku's schema; the
// official CLI reads them.
type app struct {
	ACM                          bool        `json:"acm"`
	ArchivedAt                   *string     `json:"archived_at"`
	BuildStack                   wire.Ref    `json:"build_stack"`
	BuildpackProvidedDescription *string     `json:"buildpack_provided_description"`
	CreatedAt                    string      `json:"created_at"`
	GitURL                       string      `json:"git_url"`
	ID                           string      `json:"id"`
	InternalRouting              *bool       `json:"internal_routing"`
	Maintenance                  bool        `json:"maintenance"`
	Name                         string      `json:"name"`
	Organization                 *wire.Ref   `json:"organization"`
	Owner                        wire.Person `json:"owner"`
	Region                       wire.Ref    `json:"region"`
	ReleasedAt                   *string     `json:"released_at"`
	RepoSize                     *int64      `json:"repo_size"`
	SlugSize                     *int64      `json:"slug_size"`
	Space                        *wire.Ref   `json:"space"`
	Stack                        wire.Ref    `json:"stack"`
	Team                         *wire.Ref   `json:"team"`
	UpdatedAt                    string      `json:"updated_at"`
	WebURL                       string      `json:"web_url"`

	CreateStatus string   `json:"create_status"`
	Generation   wire.Ref `json:"generation"`
}

// newApp makes JSON of an app. Newest is its newest release; nil if it has none.
func newApp(a renga.App, owner wire.Person, newest *renga.ReleaseRecord, s wire.Settings) app {
	shown := app{
		ACM: a.ACM, BuildStack: wire.StackRef(), CreatedAt: wire.Stamp(a.CreatedAt),
		GitURL: s.BaseURL("git") + "/" + a.Name + ".git", ID: string(a.ID),
		Maintenance: a.Maintenance, Name: a.Name, Owner: owner, Region: regionRef(), Stack: wire.StackRef(),
		UpdatedAt: wire.Stamp(a.UpdatedAt), WebURL: s.WebURL(a.Name),
		CreateStatus: "complete", Generation: wire.GenerationRef(),
	}
	if newest == nil {
		return shown
	}
	released := wire.Stamp(newest.CreatedAt)
	shown.ReleasedAt = &released
	if len(newest.Images) > 0 {
		size := imagesSize(newest.Images)
		shown.SlugSize = &size
	}
	return shown
}

// imagesSize counts each image once, even if several process types run it.
func imagesSize(images map[renga.ProcessType]renga.Image) int64 {
	sizes := map[string]int64{}
	for _, img := range images {
		sizes[img.Digest] = img.Size
	}
	var sum int64
	for _, n := range sizes {
		sum += n
	}
	return sum
}

// showApp makes JSON of an app.
func (s *Server) showApp(ctx context.Context, a renga.App) (app, error) {
	shown, err := s.showApps(ctx, []renga.App{a})
	if err != nil {
		return app{}, err
	}
	return shown[0], nil
}

// form is the JSON of an app: its own, or that of Heroku's resource team-app.
type form func(app) any

func asApp(a app) any { return a }

func (s *Server) reply(w http.ResponseWriter, r *http.Request, status int, a renga.App, show form) error {
	shown, err := s.showApp(r.Context(), a)
	if err != nil {
		return err
	}
	return wire.Answer(w, status, show(shown))
}

func (s *Server) appInfo(show form) wire.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		a, err := s.AppOf(r)
		if err != nil {
			return err
		}
		return s.reply(w, r, http.StatusOK, a, show)
	}
}

func (s *Server) createApp(show form) wire.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		a, err := s.makeApp(r)
		if err != nil {
			return err
		}
		return s.reply(w, r, http.StatusCreated, a, show)
	}
}

// makeApp makes the app that the body describes.
func (s *Server) makeApp(r *http.Request) (renga.App, error) {
	var body struct {
		Name   string `json:"name"`
		Region string `json:"region"`
		Stack  string `json:"stack"`
		Team   string `json:"team"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return renga.App{}, err
	}
	if body.Team != "" {
		return renga.App{}, wire.NotFound("team")
	}
	if err := knownPlace(body.Region, body.Stack); err != nil {
		return renga.App{}, err
	}
	a, err := s.parts.Creator.CreateApp(r.Context(), body.Name, wire.Caller(r).ID)
	if err != nil {
		return renga.App{}, err
	}
	wire.InfoOf(r).App = a.Name
	s.Audit(r, "app created", a.Name)
	return a, nil
}

// knownPlace checks the region and the stack of a body. Empty ones are the only
// ones.
func knownPlace(region, stack string) error {
	if region != "" && region != regionName && region != regionID {
		return wire.Invalid("Region %q does not exist; the only one is %s.", wire.Clip(region), regionName)
	}
	if stack != "" && stack != wire.StackName && stack != wire.StackID {
		return wire.Invalid("Stack %q is not supported; the only one is %s.", wire.Clip(stack), wire.StackName)
	}
	return nil
}

func (s *Server) updateApp(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var body struct {
		Name        *string `json:"name"`
		Maintenance *bool   `json:"maintenance"`
		BuildStack  string  `json:"build_stack"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if err := knownPlace("", body.BuildStack); err != nil {
		return err
	}
	if body.Name != nil && *body.Name != a.Name {
		if a, err = s.rename(r, a, *body.Name); err != nil {
			return err
		}
	}
	if body.Maintenance != nil && *body.Maintenance != a.Maintenance {
		if a, err = s.setMaintenance(r, a, *body.Maintenance); err != nil {
			return err
		}
	}
	return s.reply(w, r, http.StatusOK, a, asApp)
}

func (s *Server) rename(r *http.Request, a renga.App, name string) (renga.App, error) {
	if err := a.Permit(wire.Caller(r).ID, renga.MayManage); err != nil {
		return renga.App{}, err
	}
	renamed, err := s.parts.Renamer.Rename(r.Context(), a.ID, name)
	if err != nil {
		return renga.App{}, wire.OrNotFound(err, "app")
	}
	s.Audit(r, "app renamed", a.Name, "to", name)
	return renamed, nil
}

func (s *Server) setMaintenance(r *http.Request, a renga.App, on bool) (renga.App, error) {
	a, err := s.parts.Apps.UpdateApp(r.Context(), a.ID, func(a *renga.App) error {
		a.Maintenance = on
		return nil
	})
	if err != nil {
		return renga.App{}, wire.OrNotFound(err, "app")
	}
	s.Reconciler.Reconcile(a.ID)
	s.Audit(r, "maintenance set", a.Name, "maintenance", on)
	return a, nil
}

// deleteApp may be called again after a crash has interrupted it.
func (s *Server) deleteApp(w http.ResponseWriter, r *http.Request) error {
	a := wire.InfoOf(r).Target
	shown, err := s.showApp(r.Context(), a)
	if err != nil {
		return err
	}
	if err := s.parts.Deleter.DeleteApp(r.Context(), a.ID); err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Audit(r, "app deleted", a.Name)
	return wire.Answer(w, http.StatusOK, shown)
}
