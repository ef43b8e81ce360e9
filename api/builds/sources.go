package builds

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

func (s *Server) sourceRoutes() []wire.Route {
	return []wire.Route{
		wire.Post("/sources", wire.Writing, s.createSource),
		wire.Post("/apps/{app}/sources", wire.Deploying, s.createSource),
		wire.Put("/streams/sources/{source}", wire.Open, s.putSource),
		wire.Get("/streams/sources/{source}", wire.Open, s.getSource),
	}
}

// uploadLife is how long the URLs of a source are good, as on Heroku.
const uploadLife = time.Hour

// uploadTime is how long a source may take to come. Tests make it short.
var uploadTime = 30 * time.Minute

// The kinds of the signed keys of sources: one to send, one to read and build.
const (
	putKind = "source upload"
	getKind = "source"
)

// sourceKey is the content of such a key. It is good as long as the token that it was made
// with.
type sourceKey struct {
	wire.Pass
	ID      string    `json:"id"`
	Expires time.Time `json:"expires"`
}

// createSource makes two URLs: one to send an archive to, one to build it from.
func (s *Server) createSource(w http.ResponseWriter, r *http.Request) error {
	key := sourceKey{s.PassOf(r.Context()), uuid.NewString(), s.Now().Add(uploadLife)}
	at := func(kind string) string {
		return fmt.Sprintf("%s%s%s?key=%s", s.BaseURL("api"), wire.LargeBodies, key.ID, s.Sign(kind, key))
	}
	type urls struct {
		Get string `json:"get_url"`
		Put string `json:"put_url"`
	}
	return wire.Answer(w, http.StatusCreated, map[string]urls{"source_blob": {at(getKind), at(putKind)}})
}

// sourceOf checks the key in a source's URL.
func (s *Server) sourceOf(r *http.Request, id, kind string) error {
	var k sourceKey
	switch {
	case !s.Signed(r, kind, &k) || k.ID != id:
		return wire.NotFound("source")
	case s.Now().After(k.Expires):
		return renga.Errorf(renga.Forbidden, "The URL of this source has expired; create another source.")
	}
	return s.CheckPass(r.Context(), k.Pass, "", wire.Writing)
}

func (s *Server) putSource(w http.ResponseWriter, r *http.Request) error {
	id := mux.Vars(r)["source"]
	if err := s.sourceOf(r, id, putKind); err != nil {
		return err
	}
	// Meanwhile it keeps room from others. What has no connection of its own has no deadline.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(uploadTime))
	if err := s.parts.Uploads.Put(id, r.Body); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Server) getSource(w http.ResponseWriter, r *http.Request) error {
	id := mux.Vars(r)["source"]
	if err := s.sourceOf(r, id, getKind); err != nil {
		return err
	}
	source, err := s.parts.Uploads.Open(id)
	if err != nil {
		return wire.OrNotFound(err, "source")
	}
	defer func() { _ = source.Close() }() // only read
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	_, err = io.Copy(w, source)
	return err
}

// openSource opens the archive of a build: one that was sent here, or one of somebody
// else's.
func (s *Server) openSource(r *http.Request, text string) (io.ReadCloser, error) {
	at, err := url.Parse(text)
	if err != nil {
		return nil, wire.Invalid("source_blob.url is no URL.")
	}
	own, _ := url.Parse(s.WebURL("api")) // it was made here
	id, ours := strings.CutPrefix(at.Path, wire.LargeBodies)
	if !ours || at.Host != own.Host {
		return s.parts.Builder.Fetch(r.Context(), text)
	}
	if err := s.sourceOf((&http.Request{URL: at}).WithContext(r.Context()), id, getKind); err != nil {
		return nil, err
	}
	source, err := s.parts.Uploads.Open(id)
	return source, wire.OrNotFound(err, "source")
}

// outputLife is the least time for which the URL of an output is good, as that of a
// release's.
const outputLife = time.Hour

const outputKind = "build output"

// outputKey is the content of a signed key.
type outputKey struct {
	wire.Pass
	App     renga.AppID `json:"app"`
	Build   string      `json:"build"`
	Expires time.Time   `json:"expires"`
}

// outputURL gives the URL of what a build says, which is good for everybody who has it, as
// long as the account that it was given to has the right.
func (s *Server) outputURL(ctx context.Context, b renga.Build) string {
	key := outputKey{
		Pass: s.PassOf(ctx), App: b.App, Build: b.ID, Expires: s.Now().Truncate(outputLife).Add(2 * outputLife),
	}
	return fmt.Sprintf("%sstreams/builds/%s/%s?key=%s", s.WebURL("api"), b.App, b.ID, s.Sign(outputKind, key))
}

// streamOutput sends what a build says as it comes, until the build is over.
func (s *Server) streamOutput(w http.ResponseWriter, r *http.Request) error {
	var k outputKey
	vars := mux.Vars(r)
	switch {
	case !s.Signed(r, outputKind, &k) || string(k.App) != vars["app"] || k.Build != vars["build"]:
		return wire.NotFound("stream")
	case s.Now().After(k.Expires):
		return renga.Errorf(renga.Forbidden, "The URL of this output has expired; read the build again for another one.")
	}
	if err := s.CheckPass(r.Context(), k.Pass, k.App, wire.Looking); err != nil {
		return err
	}
	b, err := s.find(r.Context(), k.App, k.Build)
	if err != nil {
		return err
	}
	ctx, cancel := s.WhileAllowed(r.Context(), k.Pass, k.App, wire.Looking)
	defer cancel()
	out, err := wire.StreamText(w)
	if err != nil {
		return err
	}
	if err := s.parts.Builder.Follow(ctx, b, out); err != nil && r.Context().Err() == nil {
		s.Log.Warn("stream of a build's output broke off", "app", k.App, "build", b.ID, "err", err)
		panic(http.ErrAbortHandler) // so that the client does not take it for the end
	}
	return nil
}
