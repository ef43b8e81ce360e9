package releases

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// Outputs knows what release commands print.
type Outputs interface {
	// Follow writes it to w as it comes, until over says that there will be no
	// more.
	Follow(
		ctx context.Context, app renga.AppID, version int, w io.Writer, over func(context.Context) (bool, error),
	) error
}

func (s *Server) releaseOutputRoutes() []wire.Route {
	return []wire.Route{wire.Get("/streams/releases/{app}/{version}", wire.Open, s.streamOutput)}
}

// outputLife is for how long at least the URL of an output can be opened. It is
// the same for as long, so that a release that does not change has one ETag.
const outputLife = time.Hour

// outputKind is of what kind the keys of outputs are.
const outputKind = "release output"

// outputKey is what is signed.
type outputKey struct {
	wire.Pass
	App     renga.AppID `json:"app"`
	Version int         `json:"version"`
	Expires time.Time   `json:"expires"`
}

// outputURL is where a release command's output is read: by whoever has the
// URL, for clients send no token there, as long as whoever got it has the right.
// The key is in the query, which no log shows.
func (s *Server) outputURL(ctx context.Context, app renga.AppID, version int) string {
	key := outputKey{
		Pass: s.PassOf(ctx), App: app, Version: version, Expires: s.Now().Truncate(outputLife).Add(2 * outputLife),
	}
	return fmt.Sprintf("%sstreams/releases/%s/%d?key=%s", s.WebURL("api"), app, version, s.Sign(outputKind, key))
}

// openOutput reads the key of an output's URL.
func (s *Server) openOutput(r *http.Request) (k outputKey, err error) {
	version, ok := parseVersion(mux.Vars(r)["version"])
	switch {
	case !ok || !s.Signed(r, outputKind, &k) || string(k.App) != mux.Vars(r)["app"] || k.Version != version:
		return k, wire.NotFound("stream")
	case s.Now().After(k.Expires):
		return k, renga.Errorf(
			renga.Forbidden, "The URL of this output has expired; read the release again for another one.",
		)
	}
	return k, s.Holds(r.Context(), k.Pass, k.App, wire.Looking)
}

// streamOutput sends a release command's output as it comes. It ends when the
// command's end has been recorded: whoever asks for the release then knows how
// it went.
func (s *Server) streamOutput(w http.ResponseWriter, r *http.Request) error {
	k, err := s.openOutput(r)
	if err != nil {
		return err
	}
	app, version := k.App, k.Version
	if _, err := s.parts.Releases.Release(r.Context(), app, version); err != nil {
		return wire.OrNotFound(err, "release")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	out := flushing{w, http.NewResponseController(w)}
	if err := out.rc.Flush(); err != nil {
		return fmt.Errorf("stream output: %w", err)
	}
	ctx, cancel := s.WhileHeld(r.Context(), k.Pass, app, wire.Looking)
	defer cancel()
	err = s.parts.Outputs.Follow(ctx, app, version, out, func(ctx context.Context) (bool, error) {
		rec, err := s.parts.Releases.Release(ctx, app, version)
		return rec.Outcome.Status != renga.Pending || rec.Outcome.Phase == renga.PhasePassed, err
	})
	if err != nil && r.Context().Err() == nil {
		s.Log.Warn("stream of a release's output broke off", "app", app, "release", version, "err", err)
		panic(http.ErrAbortHandler) // the client must not take it for the end
	}
	return nil
}

// flushing sends each write at once.
type flushing struct {
	io.Writer
	rc *http.ResponseController
}

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	if err == nil {
		err = f.rc.Flush()
	}
	return n, err
}
