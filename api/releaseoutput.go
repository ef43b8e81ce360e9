package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"

	"github.com/gorilla/mux"

	"renga"
)

// Outputs knows what release commands print.
type Outputs interface {
	// Follow writes it to w as it comes, until over says that there will be no
	// more.
	Follow(ctx context.Context, app renga.AppID, version int, w io.Writer, over func(context.Context) (bool, error)) error
}

func (s *Server) releaseOutputRoutes() []route {
	return []route{{"GET", "/streams/releases/{app}/{version}", s.streamOutput}}
}

// outputURL is where a release command's output is read: by whoever has the
// URL, for clients send no token there. The key is in the query, which no log
// shows.
func (o Options) outputURL(app renga.AppID, version int) string {
	return fmt.Sprintf("%sstreams/releases/%s/%d?key=%s", o.webURL("api"), app, version, o.outputKey(app, version))
}

func (o Options) outputKey(app renga.AppID, version int) string {
	mac := hmac.New(sha256.New, o.StreamKey)
	fmt.Fprintf(mac, "release output %s %d", app, version)
	return hex.EncodeToString(mac.Sum(nil))
}

// streamOutput sends a release command's output as it comes. It ends when the
// command's end has been recorded: whoever asks for the release then knows how
// it went.
func (s *Server) streamOutput(w http.ResponseWriter, r *http.Request) error {
	app := renga.AppID(mux.Vars(r)["app"])
	version, ok := parseVersion(mux.Vars(r)["version"])
	if !ok || !hmac.Equal([]byte(r.URL.Query().Get("key")), []byte(s.options.outputKey(app, version))) {
		return notFound("stream")
	}
	if _, err := s.parts.Releases.Release(r.Context(), app, version); err != nil {
		return orNotFound(err, "release")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	out := flushing{w, http.NewResponseController(w)}
	if err := out.rc.Flush(); err != nil {
		return fmt.Errorf("stream output: %w", err)
	}
	err := s.parts.Outputs.Follow(r.Context(), app, version, out, func(ctx context.Context) (bool, error) {
		rec, err := s.parts.Releases.Release(ctx, app, version)
		return rec.Outcome.Status != renga.Pending || rec.Outcome.Phase == renga.PhasePassed, err
	})
	if err != nil && r.Context().Err() == nil {
		s.log.Warn("stream of a release's output broke off", "app", app, "release", version, "err", err)
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
