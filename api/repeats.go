package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A client whose connection broke cannot know whether its request was acted
// upon, and repeats it. So that nothing happens twice, the good answer of a
// change is remembered and given again to whoever repeats the request: the
// same account, method, path and body under the same identity. That is the
// Idempotency-Key header, or else the first id of Request-Id when it is a UUID:
// the official CLI makes one anew for every request and sends the same again
// only when it repeats one (five times at most). A second request that is meant
// has another id, and acts. What was refused is not remembered: nothing
// happened, and asking again does no harm.

// Repeats remembers requests and their answers.
type Repeats interface {
	// BeginRequest claims a request for as long as lease. It gives the answer
	// when there is one, and neither that nor a claim while another holds it.
	BeginRequest(ctx context.Context, request, holder string, lease time.Duration) (answer []byte, began bool, err error)
	// HoldRequest renews a claim; DropRequest lets it go.
	HoldRequest(ctx context.Context, request, holder string, lease time.Duration) error
	DropRequest(ctx context.Context, request, holder string) error
	// AnswerRequest keeps an answer, which may hold secrets, in place of the
	// claim.
	AnswerRequest(ctx context.Context, request string, answer []byte, keep time.Duration) error
}

const (
	// requestLease is how long a claim outlives whoever made it, and so how long
	// a repeated request waits after a crash.
	requestLease = 5 * time.Second
	// repeatPoll is how often a repeated request looks for the first one's end.
	repeatPoll = 50 * time.Millisecond
	// changeTime bounds a change whose client may have left.
	changeTime = time.Minute
	// keepByID outlasts the CLI's retries many times; keepByKey is what other
	// APIs promise for the header.
	keepByID, keepByKey = 5 * time.Minute, 24 * time.Hour
	maxKeyBytes         = 255
)

// repeatable is a request that may come again.
type repeatable struct {
	key, holder string
	print       string // of the body
	explicit    bool   // by Idempotency-Key
	keep        time.Duration
}

// remembered is an answer as it is kept. Its header holds what the handler set.
type remembered struct {
	Print  string
	Status int
	Header http.Header
	Body   []byte
}

// actOnce lets a request that can be recognised act only once.
func (s *Server) actOnce(next http.Handler) http.Handler {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		p, err := newRepeatable(r)
		if err != nil {
			return err
		}
		if p == nil {
			next.ServeHTTP(w, r)
			return nil
		}
		past, err := s.claim(r.Context(), p)
		switch {
		case err != nil:
			return err
		case past == nil:
			return s.act(w, r, p, next)
		case past.Print == p.print:
			past.send(w)
			return nil
		case p.explicit:
			return invalid("This Idempotency-Key was used for another request; choose a new one.")
		}
		next.ServeHTTP(w, r) // whoever made the id repeats ids, not requests
		return nil
	})
}

// newRepeatable reads who the request is; nil when it changes nothing or cannot
// be recognised.
func newRepeatable(r *http.Request) (*repeatable, error) {
	if reads(r) || caller(r).ID == "" {
		return nil, nil
	}
	p := &repeatable{holder: uuid.NewString(), keep: keepByID}
	id, _, _ := strings.Cut(r.Header.Get("Request-Id"), ",")
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		id, p.explicit, p.keep = key, true, keepByKey
	}
	switch id = strings.TrimSpace(id); {
	case !p.explicit && !isUUID(id):
		return nil, nil
	case len(id) > maxKeyBytes:
		return nil, badRequest("The Idempotency-Key header must be no longer than %d bytes.", maxKeyBytes)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, unreadable(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.key = fingerprint(string(caller(r).ID), r.Method, r.URL.RequestURI(), fmt.Sprint(p.explicit), id)
	p.print = fingerprint(string(body))
	return p, nil
}

func fingerprint(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// claim waits until the request is nobody else's. It gives the answer when it
// has one by then.
func (s *Server) claim(ctx context.Context, p *repeatable) (*remembered, error) {
	poll := time.NewTicker(repeatPoll)
	defer poll.Stop()
	for {
		text, began, err := s.parts.Repeats.BeginRequest(ctx, p.key, p.holder, requestLease)
		if err != nil || began {
			return nil, err
		}
		if text != nil {
			var past remembered
			if err := json.Unmarshal(text, &past); err != nil {
				return nil, fmt.Errorf("read a remembered answer: %w", err)
			}
			return &past, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-poll.C:
		}
	}
}

func (m *remembered) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), m.Header)
	w.Header().Set("Idempotent-Replayed", "true")
	w.WriteHeader(m.Status)
	_, _ = w.Write(m.Body) // a client that left misses nothing
}

// act does what the request asks for, to its end even when the client leaves,
// and remembers a good answer before it is sent.
func (s *Server) act(w http.ResponseWriter, r *http.Request, p *repeatable, next http.Handler) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), changeTime)
	defer cancel()
	release := s.hold(ctx, p)
	defer release()
	before := w.Header().Clone()
	held := &heldAnswer{ResponseWriter: w, wants: func(status int, contentType string) bool {
		return status/100 == 2 && (contentType == "" || isJSON(contentType))
	}}
	next.ServeHTTP(held, r.WithContext(ctx))
	if !held.holds {
		return nil
	}
	past := remembered{Print: p.print, Status: held.status, Header: w.Header().Clone(), Body: held.body.Bytes()}
	maps.DeleteFunc(past.Header, func(name string, _ []string) bool { return before[name] != nil })
	if err := s.remember(ctx, p, past); err != nil { // it was done all the same
		s.log.Warn("an answer was not remembered", "request", visitOf(r).id, "err", err)
	}
	held.send()
	return nil
}

func (s *Server) remember(ctx context.Context, p *repeatable, past remembered) error {
	text, err := json.Marshal(past)
	if err != nil {
		return fmt.Errorf("write down an answer: %w", err)
	}
	return s.parts.Repeats.AnswerRequest(ctx, p.key, text, p.keep)
}

// hold renews the claim until the function that it returns is called, which
// lets go of what is still claimed by then.
func (s *Server) hold(ctx context.Context, p *repeatable) (release func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		renew := time.NewTicker(requestLease / 3)
		defer renew.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-renew.C:
				if err := s.parts.Repeats.HoldRequest(ctx, p.key, p.holder, requestLease); err != nil && ctx.Err() == nil {
					s.log.Warn("a request's claim was not renewed", "err", err)
				}
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		if err := s.parts.Repeats.DropRequest(context.WithoutCancel(ctx), p.key, p.holder); err != nil {
			s.log.Warn("a request's claim was not let go", "err", err)
		}
	}
}
