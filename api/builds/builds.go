package builds

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

func (s *Server) buildRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/builds", wire.Looking, s.listBuilds),
		// A build is told the app's config vars, and so may tell them.
		wire.Post("/apps/{app}/builds", wire.Pushing, s.createBuild),
		wire.Get("/apps/{app}/builds/{build}", wire.Looking, s.buildInfo),
		wire.Delete("/apps/{app}/builds/{build}", wire.Deploying, s.cancelBuild),
		wire.Delete("/apps/{app}/build-cache", wire.Deploying, s.deleteCache),
		wire.Get("/streams/builds/{app}/{build}", wire.Open, s.streamOutput),
	}
}

// build is a build as JSON (Heroku Platform API, "Build").
type build struct {
	App          wire.OnlyID  `json:"app"`
	Buildpacks   []buildpack  `json:"buildpacks"`
	CreatedAt    string       `json:"created_at"`
	ID           string       `json:"id"`
	OutputStream string       `json:"output_stream_url"`
	Release      *wire.OnlyID `json:"release"` // null before there is one
	Slug         *wire.OnlyID `json:"slug"`    // always null: what is made is an image
	Source       sourceBlob   `json:"source_blob"`
	Stack        string       `json:"stack"`
	Status       string       `json:"status"`
	UpdatedAt    string       `json:"updated_at"`
	User         wire.Person  `json:"user"`

	// The rest is Renga's own.
	Builder *string `json:"builder"`
	Image   *string `json:"image_digest"`
	Number  int     `json:"number"`
	Reason  *string `json:"failure_message"`
}

type buildpack struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

type sourceBlob struct {
	Checksum    *string `json:"checksum"`
	URL         string  `json:"url"`
	Version     *string `json:"version"`
	Description *string `json:"version_description"`
}

// Show makes JSON of a build.
func (s *Server) Show(ctx context.Context, b renga.Build) (any, error) {
	return s.show(ctx, b, s.People())
}

func (s *Server) show(ctx context.Context, b renga.Build, known *wire.People) (build, error) {
	by, err := known.Find(ctx, b.By)
	shown := build{
		App: wire.OnlyID{ID: string(b.App)}, Buildpacks: []buildpack{}, CreatedAt: wire.Stamp(b.CreatedAt), ID: b.ID,
		OutputStream: s.outputURL(ctx, b), Stack: wire.StackName, Status: string(b.State), UpdatedAt: wire.Stamp(b.UpdatedAt),
		User: by,
		Source: sourceBlob{
			Checksum: wire.OrNull(b.Source.Checksum), URL: b.Source.URL, Version: wire.OrNull(b.Source.Commit),
			Description: wire.OrNull(b.Source.Message),
		},
		Builder: wire.OrNull(b.Builder), Image: wire.OrNull(b.Digest), Number: b.Number, Reason: wire.OrNull(b.Reason),
	}
	for _, name := range b.Buildpacks {
		shown.Buildpacks = append(shown.Buildpacks, buildpack{name, name})
	}
	if b.Version > 0 {
		shown.Release = &wire.OnlyID{ID: wire.ReleaseID(b.App, b.Version)}
	}
	return shown, err
}

func (s *Server) listBuilds(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	all, err := s.parts.Builds.Builds(r.Context(), a.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	known := s.People()
	show := func(b renga.Build) (build, error) { return s.show(r.Context(), b, known) }
	return wire.ListAs(w, r, all, wire.Each(show),
		wire.ByTime("created_at", func(b renga.Build) (time.Time, string) { return b.CreatedAt, b.ID }),
		wire.By("id", func(b renga.Build) string { return b.ID }))
}

func (s *Server) buildInfo(w http.ResponseWriter, r *http.Request) error {
	_, b, err := s.buildOf(r)
	if err != nil {
		return err
	}
	return s.answer(w, r, http.StatusOK, b)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, status int, b renga.Build) error {
	shown, err := s.show(r.Context(), b, s.People())
	if err != nil {
		return err
	}
	return wire.Answer(w, status, shown)
}

// buildOf gives the app and the build of the path.
func (s *Server) buildOf(r *http.Request) (renga.App, renga.Build, error) {
	a, err := s.AppOf(r)
	if err != nil {
		return a, renga.Build{}, err
	}
	b, err := s.find(r.Context(), a.ID, mux.Vars(r)["build"])
	return a, b, err
}

func (s *Server) find(ctx context.Context, app renga.AppID, id string) (renga.Build, error) {
	all, err := s.parts.Builds.Builds(ctx, app)
	if err != nil {
		return renga.Build{}, wire.OrNotFound(err, "app")
	}
	at := slices.IndexFunc(all, func(b renga.Build) bool { return b.ID == strings.ToLower(id) })
	if at < 0 {
		return renga.Build{}, wire.NotFound("build")
	}
	return all[at], nil
}

const (
	maxURL     = 8192
	maxVersion = 200
)

// createBuild builds an archive that was uploaded here, or is somewhere else. It is
// fetched before the answer.
func (s *Server) createBuild(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var body struct {
		Source struct {
			Checksum    *string `json:"checksum"`
			URL         string  `json:"url"`
			Version     *string `json:"version"`
			Description *string `json:"version_description"`
		} `json:"source_blob"`
		Buildpacks []buildpack `json:"buildpacks"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	order := renga.BuildOrder{App: a.ID, By: wire.Caller(r).ID}
	for _, one := range body.Buildpacks {
		order.Buildpacks = append(order.Buildpacks, wire.Clip(firstOf(one.URL, one.Name)))
	}
	wire.Set(&order.Source.Checksum, body.Source.Checksum)
	wire.Set(&order.Source.Commit, body.Source.Version)
	wire.Set(&order.Source.Message, body.Source.Description)
	switch {
	case body.Source.URL == "" || len(body.Source.URL) > maxURL:
		return wire.Invalid("Give the URL of an archive as source_blob.url, of up to %d bytes.", maxURL)
	case len(order.Source.Commit) > maxVersion || len(order.Source.Message) > maxVersion || len(order.Source.Checksum) > maxVersion:
		return wire.Invalid("Version, its description and checksum have up to %d bytes.", maxVersion)
	case len(order.Buildpacks) > maxBuildpacks:
		return wire.Invalid("A build has up to %d buildpacks.", maxBuildpacks)
	}
	order.Source.URL = plainURL(body.Source.URL)
	source, err := s.openSource(r, body.Source.URL)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // it was read, or the build refused
	b, err := s.parts.Builder.Start(r.Context(), order, source)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Audit(r, "build started", a.Name, "build", b.ID)
	return s.answer(w, r, http.StatusCreated, b)
}

const maxBuildpacks = 50

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// plainURL is a URL without what lets one in: user, query and fragment.
func plainURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

func (s *Server) cancelBuild(w http.ResponseWriter, r *http.Request) error {
	a, b, err := s.buildOf(r)
	if err != nil {
		return err
	}
	if b, err = s.parts.Builder.Cancel(r.Context(), a.ID, b.ID); err != nil {
		return wire.OrNotFound(err, "build")
	}
	s.Audit(r, "build cancelled", a.Name, "build", b.ID)
	return s.answer(w, r, http.StatusOK, b)
}

func (s *Server) deleteCache(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	if err := s.parts.Builder.ForgetCache(r.Context(), a.ID); err != nil {
		return err
	}
	s.Audit(r, "build cache deleted", a.Name)
	all, err := s.parts.Builds.Builds(r.Context(), a.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	if len(all) == 0 {
		return wire.Answer(w, http.StatusOK, wire.Empty{})
	}
	return s.answer(w, r, http.StatusOK, all[len(all)-1]) // Heroku answers with a build
}
