package wire

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
	"github.com/gorilla/mux"

	"renga"
)

// A client whose connection broke cannot know whether its request was acted
// upon, and repeats it. So that nothing happens twice, the good answer of a
// change is remembered and given again to whoever repeats the request: the
// same authorization, method, path and body under the same identity. That is the
// Idempotency-Key header, or else the first id of Request-Id when it is a UUID:
// the official CLI makes one anew for every request and sends the same again
// only when it repeats one (five times at most). A second request that is meant
// has another id, and acts. What was refused is not remembered: nothing
// happened, and asking again does no harm.

// Repeats remembers requests and their answers.
type Repeats interface {
	// BeginRequest claims a request for as long as lease. It gives the answer
	// when there is one, and neither that nor a claim while another holds it.
	BeginRequest(
		ctx context.Context, request, holder string, lease time.Duration,
	) (answer []byte, began bool, err error)
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
	// Last says that the act took the right away that it had asked for.
	Last bool `json:",omitempty"`
}

// actOnce lets a request act only once. Whoever comes here may do what it asks
// for.
func (d *Door) actOnce(w http.ResponseWriter, r *http.Request, p *repeatable, rt Route) error {
	past, err := d.claim(r.Context(), p)
	switch {
	case err != nil:
		return err
	case past == nil:
		return d.act(w, r, p, rt)
	case past.Print == p.print:
		past.send(w)
		return nil
	case p.explicit:
		return Invalid("This Idempotency-Key was used for another request; choose a new one.")
	}
	return rt.do(w, r) // whoever made the id repeats ids, not requests
}

// lastAnswer is for whoever may not do it with the app of the path. Barred says
// why, and is the answer, unless the request is a repeat of the one that took the
// right away: leaving an app, renaming and deleting it do.
func (d *Door) lastAnswer(w http.ResponseWriter, r *http.Request, p *repeatable, barred error) error {
	past, err := d.claim(r.Context(), p)
	switch {
	case err != nil:
		return err
	case past == nil:
		d.drop(r.Context(), p)
	case past.Last && past.Print == p.print:
		past.send(w)
		return nil
	}
	return barred
}

// newRepeatable reads who the request is; nil when it changes nothing or cannot
// be recognised.
func newRepeatable(r *http.Request) (*repeatable, error) {
	if reads(r) || Caller(r).ID == "" {
		return nil, nil
	}
	p := &repeatable{holder: uuid.NewString(), keep: keepByID}
	id, _, _ := strings.Cut(r.Header.Get("Request-Id"), ",")
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		id, p.explicit, p.keep = key, true, keepByKey
	}
	switch id = strings.TrimSpace(id); {
	case !p.explicit && !IsUUID(id):
		return nil, nil
	case len(id) > maxKeyBytes:
		return nil, BadRequest("The Idempotency-Key header must be no longer than %d bytes.", maxKeyBytes)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, unreadable(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	by := InfoOf(r).Bearer
	p.key = fingerprint(
		string(by.Account.ID), by.Authorization.ID, r.Method, r.URL.RequestURI(), fmt.Sprint(p.explicit), id,
	)
	p.print = fingerprint(string(body))
	return p, nil
}

func fingerprint(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// claim waits until the request is nobody else's. It gives the answer when it
// has one by then.
func (d *Door) claim(ctx context.Context, p *repeatable) (*remembered, error) {
	poll := time.NewTicker(repeatPoll)
	defer poll.Stop()
	for {
		text, began, err := d.Repeats.BeginRequest(ctx, p.key, p.holder, requestLease)
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
func (d *Door) act(w http.ResponseWriter, r *http.Request, p *repeatable, rt Route) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), changeTime)
	defer cancel()
	release := d.hold(ctx, p)
	defer release()
	before := w.Header().Clone()
	held := &heldAnswer{ResponseWriter: w, wants: func(status int, contentType string) bool {
		return status/100 == 2 && (contentType == "" || isJSON(contentType))
	}}
	r = r.WithContext(ctx)
	d.Handle(rt.do).ServeHTTP(held, r)
	if !held.holds {
		return nil
	}
	past := remembered{
		Print: p.print, Status: held.status, Header: w.Header().Clone(), Body: held.body.Bytes(),
		Last: d.lost(r, rt.policy),
	}
	maps.DeleteFunc(past.Header, func(name string, _ []string) bool { return before[name] != nil })
	if err := d.remember(ctx, p, past); err != nil { // it was done all the same
		d.Log.Warn("an answer was not remembered", "request", InfoOf(r).ID, "err", err)
	}
	held.send()
	return nil
}

// lost tells whether the caller may not do that any more.
func (d *Door) lost(r *http.Request, asked Policy) bool {
	if len(asked.app) == 0 {
		return false
	}
	_, err := d.reach(r, mux.Vars(r)["app"], asked.app...)
	kind := renga.KindOf(err)
	return kind == renga.Forbidden || kind == renga.NotFound
}

func (d *Door) remember(ctx context.Context, p *repeatable, past remembered) error {
	text, err := json.Marshal(past)
	if err != nil {
		return fmt.Errorf("write down an answer: %w", err)
	}
	return d.Repeats.AnswerRequest(ctx, p.key, text, p.keep)
}

// hold renews the claim until the function that it returns is called, which
// lets go of what is still claimed by then.
func (d *Door) hold(ctx context.Context, p *repeatable) (release func()) {
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
				if err := d.Repeats.HoldRequest(ctx, p.key, p.holder, requestLease); err != nil && ctx.Err() == nil {
					d.Log.Warn("a request's claim was not renewed", "err", err)
				}
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		d.drop(context.WithoutCancel(ctx), p)
	}
}

// drop lets go of a claim.
func (d *Door) drop(ctx context.Context, p *repeatable) {
	if err := d.Repeats.DropRequest(ctx, p.key, p.holder); err != nil {
		d.Log.Warn("a request's claim was not let go", "err", err)
	}
}
