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

// Outputs gives what release commands print.
type Outputs interface {
	// Follow writes the output to w as it comes, until over tells that it is
	// complete.
	Follow(
		ctx context.Context, app renga.AppID, version int, w io.Writer, over func(context.Context) (bool, error),
	) error
}

func (s *Server) releaseOutputRoutes() []wire.Route {
	return []wire.Route{wire.Get("/streams/releases/{app}/{version}", wire.Open, s.streamOutput)}
}

// outputLife is the least time for which the URL of an output is good. The URL does
// not change for as long, so that the ETag of a release does not change either.
const outputLife = time.Hour

// outputKind is the kind of the signed keys for outputs.
const outputKind = "release output"

// outputKey is the content of a signed key.
type outputKey struct {
	wire.Pass
	App     renga.AppID `json:"app"`
	Version int         `json:"version"`
	Expires time.Time   `json:"expires"`
}

// outputURL gives the URL of a release command's output. Clients send no token
// there, so it is good for everybody who has it, as long as the account that it was
// given to has the right. The key is in the query, which no log shows.
func (s *Server) outputURL(ctx context.Context, app renga.AppID, version int) string {
	key := outputKey{
		Pass: s.PassOf(ctx), App: app, Version: version, Expires: s.Now().Truncate(outputLife).Add(2 * outputLife),
	}
	return fmt.Sprintf("%sstreams/releases/%s/%d?key=%s", s.WebURL("api"), app, version, s.Sign(outputKind, key))
}

// openOutput reads and checks the key in an output's URL.
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
	return k, s.CheckPass(r.Context(), k.Pass, k.App, wire.Looking)
}

// streamOutput sends a release command's output as it comes. It ends after the end
// of the command was recorded, so that a client that asks for the release then
// finds its outcome.
func (s *Server) streamOutput(w http.ResponseWriter, r *http.Request) error {
	k, err := s.openOutput(r)
	if err != nil {
		return err
	}
	app, version := k.App, k.Version
	if _, err := s.parts.Releases.Release(r.Context(), app, version); err != nil {
		return wire.OrNotFound(err, "release")
	}
	out, err := wire.StreamText(w)
	if err != nil {
		return err
	}
	ctx, cancel := s.WhileAllowed(r.Context(), k.Pass, app, wire.Looking)
	defer cancel()
	err = s.parts.Outputs.Follow(ctx, app, version, out, func(ctx context.Context) (bool, error) {
		rec, err := s.parts.Releases.Release(ctx, app, version)
		return rec.Outcome.Status != renga.Pending || rec.Outcome.Phase == renga.PhasePassed, err
	})
	if err != nil && r.Context().Err() == nil {
		s.Log.Warn("stream of a release's output broke off", "app", app, "release", version, "err", err)
		panic(http.ErrAbortHandler) // so that the client does not take it for the end
	}
	return nil
}
