package events

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// Logs gives the lines of apps' logs.
type Logs interface {
	// Last gives the newest n lines that match the filter, oldest first, and the id
	// of the newest line of all.
	Last(app renga.AppID, n int, f renga.LogFilter) (lines []renga.LogLine, end uint64, err error)
	// Follow calls tell with the lines after an id, those to come too, until ctx
	// ends or tell returns an error. Missed counts lines before them that were
	// lost.
	Follow(
		ctx context.Context, app renga.AppID, after uint64, tell func(lines []renga.LogLine, missed uint64) error,
	) error
}

func (s *Server) logSessionRoutes() []wire.Route {
	return []wire.Route{wire.Post("/apps/{app}/log-sessions", wire.Looking, s.createLogSession)}
}

func (s *Server) logStreamRoutes() []wire.Route {
	return []wire.Route{wire.Get("/streams/logs/{app}", wire.Open, s.streamLog)}
}

const (
	// sessionLife is how long the URL of a session can be opened, and opened again
	// after a broken connection. An open stream goes on for as long as its client
	// has the right to it.
	sessionLife = time.Hour
	// sessionLines is how many lines a session begins with by default.
	sessionLines = 100
	// logSessionKind is the kind of the signed keys for sessions.
	logSessionKind = "log session"
)

// logSession is a session as JSON.
type logSession struct {
	CreatedAt  string `json:"created_at"`
	ID         string `json:"id"`
	LogplexURL string `json:"logplex_url"`
	UpdatedAt  string `json:"updated_at"`
}

// sessionKey is the content of a signed key. A session is nothing else; it is not
// stored.
type sessionKey struct {
	wire.Pass
	App     renga.AppID `json:"app"`
	Dyno    string      `json:"dyno,omitempty"`
	Type    string      `json:"type,omitempty"`
	Source  string      `json:"source,omitempty"`
	Lines   int         `json:"lines"`
	Tail    bool        `json:"tail,omitempty"`
	Expires time.Time   `json:"expires"`
}

func (k sessionKey) filter() renga.LogFilter {
	return renga.LogFilter{Source: k.Source, Dyno: k.Dyno, Type: k.Type}
}

func (s *Server) createLogSession(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var body struct {
		Dyno     string `json:"dyno"`      // its name in the schema up to version 5,
		DynoName string `json:"dyno_name"` // and since
		Type     string `json:"type"`
		Lines    *int   `json:"lines"`
		Source   string `json:"source"`
		Tail     bool   `json:"tail"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if body.Dyno != "" && body.DynoName != "" && body.Dyno != body.DynoName {
		return wire.Invalid("Fields \"dyno\" and \"dyno_name\" name two dynos; leave one of them out.")
	}
	key := sessionKey{
		Pass: s.PassOf(r.Context()), App: a.ID, Dyno: cmp.Or(body.DynoName, body.Dyno), Type: body.Type,
		Source: body.Source, Lines: sessionLines, Tail: body.Tail, Expires: s.Now().Add(sessionLife),
	}
	if body.Lines != nil {
		key.Lines = *body.Lines
	}
	if key.Lines < 0 || len(key.Dyno)+len(key.Type)+len(key.Source) > 200 {
		return wire.Invalid("Lines must be a whole number from 0 on, and dyno, type and source are names.")
	}
	now := wire.Stamp(s.Now())
	return wire.Answer(w, http.StatusCreated, logSession{
		CreatedAt: now, ID: uuid.NewString(), UpdatedAt: now,
		LogplexURL: wire.OriginOf(r) + "/streams/logs/" + string(a.ID) + "?key=" + s.Sign(logSessionKind, key),
	})
}

// openSession reads and checks the key in a stream's URL.
func (s *Server) openSession(r *http.Request) (k sessionKey, err error) {
	if !s.Signed(r, logSessionKind, &k) || string(k.App) != mux.Vars(r)["app"] {
		return k, wire.NotFound("stream")
	}
	if s.Now().After(k.Expires) {
		return k, renga.Errorf(renga.Forbidden, "This log session has expired; open another one.")
	}
	return k, s.CheckPass(r.Context(), k.Pass, k.App, wire.Looking)
}

// streamLog sends an app's lines as server-sent events. A client that connects
// again sends the id of the last line that it got.
func (s *Server) streamLog(w http.ResponseWriter, r *http.Request) error {
	k, err := s.openSession(r)
	if err != nil {
		return err
	}
	had, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64)
	n := k.Lines
	if err == nil {
		n = -1
	}
	lines, end, err := s.parts.Logs.Last(k.App, n, k.filter())
	if err != nil {
		return err
	}
	out := wire.NewEventStream(w, s.Now)
	field := ""
	if !k.Tail {
		field = "retry: 10\n\n" // the official CLI waits that long before it ends
	}
	if out.Begin(field) != nil || out.Lines(k.filter(), lines, had) != nil {
		return nil // the client has disconnected
	}
	if k.Tail {
		s.tailLog(r.Context(), out, k, end)
	}
	return nil
}

// tailLog sends the lines after an id until the client or the server ends it, or
// the right ends.
func (s *Server) tailLog(ctx context.Context, out *wire.EventStream, k sessionKey, after uint64) {
	ctx, cancel := s.WhileAllowed(ctx, k.Pass, k.App, wire.Looking)
	defer cancel()
	alive := make(chan struct{})
	go func() {
		defer close(alive)
		out.KeepAlive(ctx, s.Ending())
		cancel()
	}()
	err := s.parts.Logs.Follow(ctx, k.App, after, func(lines []renga.LogLine, missed uint64) error {
		if missed > 0 {
			if err := out.Overflow(missed); err != nil {
				return err
			}
		}
		return out.Lines(k.filter(), lines, 0)
	})
	cancel()
	<-alive
	if err != nil && !errors.Is(err, context.Canceled) {
		s.Log.Debug("log stream ended", "app", k.App, "err", err)
	}
}
