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

// A client whose connection broke cannot know whether its request was carried out,
// and repeats it. So that nothing happens twice, the good answer to a change is
// kept, and sent again to a repeat of the request: the same authorization, method,
// path and body under the same identity. The identity is the Idempotency-Key
// header, or else the first id of Request-Id when it is a UUID: the official CLI
// makes a new one for every request and sends the same again only when it repeats
// one (five times at most). A second request that is no repeat has another id, and
// is carried out. A refusal is not kept: nothing happened, and asking again does no
// harm.

// Repeats keeps requests and their answers.
type Repeats interface {
	// BeginRequest claims a request for as long as lease. If there is an answer it
	// gives that. It gives neither while another holder has the claim.
	BeginRequest(
		ctx context.Context, request, holder string, lease time.Duration,
	) (answer []byte, began bool, err error)
	// HoldRequest renews a claim; DropRequest gives it back.
	HoldRequest(ctx context.Context, request, holder string, lease time.Duration) error
	DropRequest(ctx context.Context, request, holder string) error
	// AnswerRequest keeps an answer, which may contain secrets, in place of the
	// claim.
	AnswerRequest(ctx context.Context, request string, answer []byte, keep time.Duration) error
}

const (
	// requestLease is how long a claim outlives its holder, and so how long a
	// repeat waits after a crash.
	requestLease = 5 * time.Second
	// repeatPoll is how often a repeat looks for the end of the first request.
	repeatPoll = 50 * time.Millisecond
	// changeTimeout bounds a change whose client may have left.
	changeTimeout = time.Minute
	// keepByID outlasts the CLI's retries many times. keepByKey is what other APIs
	// promise for the header.
	keepByID, keepByKey = 5 * time.Minute, 24 * time.Hour
	maxKeyBytes         = 255
)

// repeatable is a request that may be repeated.
type repeatable struct {
	key, holder string
	print       string // of the body
	explicit    bool   // by Idempotency-Key
	keep        time.Duration
}

// remembered is an answer as it is kept. Its header has only what the handler set.
type remembered struct {
	Print  string
	Status int
	Header http.Header
	Body   []byte
	// Last says that the request took away the right that it needed.
	Last bool `json:",omitempty"`
}

// actOnce carries a request out, or sends the answer of its first time. The caller
// may do what it asks for.
func (d *Door) actOnce(w http.ResponseWriter, r *http.Request, p *repeatable, rt Route) error {
	earlier, err := d.claim(r.Context(), p)
	switch {
	case err != nil:
		return err
	case earlier == nil:
		return d.act(w, r, p, rt)
	case earlier.Print == p.print:
		earlier.send(w)
		return nil
	case p.explicit:
		return Invalid("This Idempotency-Key was used for another request; choose a new one.")
	}
	return rt.do(w, r) // its client repeats ids, not requests
}

// lastAnswer answers a caller who may not do this with the app of the path. The
// answer is the refusal, unless the request repeats the one that took the right
// away: leaving, renaming or deleting the app.
func (d *Door) lastAnswer(w http.ResponseWriter, r *http.Request, p *repeatable, refusal error) error {
	earlier, err := d.claim(r.Context(), p)
	switch {
	case err != nil:
		return err
	case earlier == nil:
		d.dropClaim(r.Context(), p)
	case earlier.Last && earlier.Print == p.print:
		earlier.send(w)
		return nil
	}
	return refusal
}

// newRepeatable reads the identity of a request; nil when it changes nothing or has
// no identity.
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

// claim waits until no other holder has the request. It gives the answer if there
// is one by then.
func (d *Door) claim(ctx context.Context, p *repeatable) (*remembered, error) {
	poll := time.NewTicker(repeatPoll)
	defer poll.Stop()
	for {
		text, began, err := d.Repeats.BeginRequest(ctx, p.key, p.holder, requestLease)
		if err != nil || began {
			return nil, err
		}
		if text != nil {
			var earlier remembered
			if err := json.Unmarshal(text, &earlier); err != nil {
				return nil, fmt.Errorf("read a remembered answer: %w", err)
			}
			return &earlier, nil
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
	_, _ = w.Write(m.Body) // a client that has left needs no answer
}

// act carries a request out, to its end even if the client leaves, and keeps a good
// answer before it sends it.
func (d *Door) act(w http.ResponseWriter, r *http.Request, p *repeatable, rt Route) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), changeTimeout)
	defer cancel()
	release := d.keepClaim(ctx, p)
	defer release()
	before := w.Header().Clone()
	buffered := &bufferedAnswer{ResponseWriter: w, wants: func(status int, contentType string) bool {
		return status/100 == 2 && (contentType == "" || isJSON(contentType))
	}}
	r = r.WithContext(ctx)
	d.Handle(rt.do).ServeHTTP(buffered, r)
	if !buffered.buffers {
		return nil
	}
	earlier := remembered{
		Print: p.print, Status: buffered.status, Header: w.Header().Clone(), Body: buffered.body.Bytes(),
		Last: d.lostRight(r, rt.policy),
	}
	maps.DeleteFunc(earlier.Header, func(name string, _ []string) bool { return before[name] != nil })
	if err := d.remember(ctx, p, earlier); err != nil { // the change was made nevertheless
		d.Log.Warn("an answer was not remembered", "request", InfoOf(r).ID, "err", err)
	}
	buffered.send()
	return nil
}

// lostRight tells whether the caller no longer may do that.
func (d *Door) lostRight(r *http.Request, asked Policy) bool {
	if len(asked.app) == 0 {
		return false
	}
	_, err := d.allowedApp(r, mux.Vars(r)["app"], asked.app...)
	kind := renga.KindOf(err)
	return kind == renga.Forbidden || kind == renga.NotFound
}

func (d *Door) remember(ctx context.Context, p *repeatable, earlier remembered) error {
	text, err := json.Marshal(earlier)
	if err != nil {
		return fmt.Errorf("write down an answer: %w", err)
	}
	return d.Repeats.AnswerRequest(ctx, p.key, text, p.keep)
}

// keepClaim renews the claim until the function that it returns is called, which
// gives a claim back that is still there.
func (d *Door) keepClaim(ctx context.Context, p *repeatable) (release func()) {
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
		d.dropClaim(context.WithoutCancel(ctx), p)
	}
}

// dropClaim gives a claim back.
func (d *Door) dropClaim(ctx context.Context, p *repeatable) {
	if err := d.Repeats.DropRequest(ctx, p.key, p.holder); err != nil {
		d.Log.Warn("a request's claim was not let go", "err", err)
	}
}
