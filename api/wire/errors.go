package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"renga"
)

// Problem is an error that the API itself finds: it says how it is answered.
type Problem struct {
	kind        renga.Kind // what it is to the rooms that it may pass through
	status      int
	id, message string
	resource    string // what was not found, as clients compare it; may be empty
	allow       string // for 405
	challenge   bool   // for 401
}

func (p *Problem) Error() string { return p.message }

// Unwrap lets others see the kind.
func (p *Problem) Unwrap() error { return &renga.Error{Kind: p.kind, Message: p.message} }

// errorBody is Heroku's error on the wire.
type errorBody struct {
	Resource string `json:"resource,omitempty"`
	ID       string `json:"id"`
	Message  string `json:"message"`
}

// StatusOf is the table from kinds of error to Heroku's status and id.
func StatusOf(kind renga.Kind) (status int, id string) {
	switch kind {
	case renga.Invalid, renga.Conflict: // Heroku answers a taken name as an invalid one
		return http.StatusUnprocessableEntity, "invalid_params"
	case renga.NotFound:
		return http.StatusNotFound, "not_found"
	case renga.Forbidden:
		return http.StatusForbidden, "forbidden"
	case renga.Unauthorized:
		return http.StatusUnauthorized, "unauthorized"
	case renga.TooMany:
		return http.StatusTooManyRequests, "rate_limit"
	case renga.Unavailable:
		return http.StatusServiceUnavailable, "service_unavailable"
	case renga.NoSpace:
		return http.StatusInsufficientStorage, "insufficient_storage"
	default:
		return http.StatusInternalServerError, "internal_server_error"
	}
}

// statusGone is what the access log shows of requests whose client went away;
// nobody sees it as an answer.
const statusGone = 499

// fail answers an error. The cause of a fault goes to the log, not to the
// client.
func (d *Door) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		w.WriteHeader(statusGone)
		return
	}
	p := asProblem(err)
	if p.status >= http.StatusInternalServerError {
		d.Log.Error("request failed", "request", InfoOf(r).ID, "app", InfoOf(r).App, "err", err)
	}
	if p.allow != "" {
		w.Header().Set("Allow", p.allow)
	}
	if p.challenge {
		w.Header().Set("WWW-Authenticate", `Bearer realm="Renga"`)
	}
	reply(w, p.status, errorBody{Resource: p.resource, ID: p.id, Message: p.message})
}

// asProblem says how an error is answered. One without a kind is a fault of
// ours.
func asProblem(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	kind := renga.KindOf(err)
	if kind == renga.Unauthorized {
		return errUnauthorized()
	}
	status, id := StatusOf(kind)
	return &Problem{status: status, id: id, message: renga.MessageOf(err, "Internal server error.")}
}

// ReplyFault answers that something is wrong on our side.
func ReplyFault(w http.ResponseWriter) {
	p := asProblem(nil)
	reply(w, p.status, errorBody{ID: p.id, Message: p.message})
}

// The problems the API itself finds.

func errUnauthorized() *Problem {
	return &Problem{
		kind: renga.Unauthorized, status: http.StatusUnauthorized, id: "unauthorized",
		message: "Invalid credentials provided.", challenge: true,
	}
}

// NotFound says that there is no such resource: "app", "process type".
func NotFound(resource string) *Problem {
	return &Problem{
		kind: renga.NotFound, status: http.StatusNotFound, id: "not_found",
		resource: strings.ReplaceAll(resource, " ", "_"), message: fmt.Sprintf("Couldn't find that %s.", resource),
	}
}

// OrNotFound gives a NotFound error of another room the words and the resource
// of Heroku; other errors pass.
func OrNotFound(err error, resource string) error {
	var own *Problem
	if renga.KindOf(err) == renga.NotFound && !errors.As(err, &own) {
		return NotFound(resource)
	}
	return err
}

// BadRequest is for what is no request of this API at all.
func BadRequest(format string, args ...any) *Problem {
	return &Problem{
		kind: renga.Invalid, status: http.StatusBadRequest, id: "bad_request", message: fmt.Sprintf(format, args...),
	}
}

// Invalid is for a request that cannot be done as it stands.
func Invalid(format string, args ...any) *Problem {
	status, id := StatusOf(renga.Invalid)
	return &Problem{kind: renga.Invalid, status: status, id: id, message: fmt.Sprintf(format, args...)}
}

// NoEndpoint answers paths that nothing is at.
func NoEndpoint(http.ResponseWriter, *http.Request) error {
	return &Problem{
		kind: renga.NotFound, status: http.StatusNotFound, id: "not_found",
		message: "The requested API endpoint was not found. Are you using the right HTTP verb (i.e. `GET` vs. " +
			"`POST`), and did you specify your intended version with the `Accept` header?",
	}
}

// otherMethod answers a known path asked with a wrong method. To Heroku that is
// an endpoint that is not there; the Allow header names those that are.
func otherMethod(m *mux.Router) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var allowed []string
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
			try := r.Clone(r.Context())
			try.Method = method
			var match mux.RouteMatch
			if m.Match(try, &match) && match.MatchErr == nil {
				allowed = append(allowed, method)
			}
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return NoEndpoint(w, r)
	}
}

// MethodNotAllowed is for what is ours alone, and not Heroku's.
func MethodNotAllowed(method string, allowed ...string) *Problem {
	list := strings.Join(allowed, ", ")
	return &Problem{
		kind: renga.Invalid, status: http.StatusMethodNotAllowed, id: "method_not_allowed", allow: list,
		message: fmt.Sprintf("This endpoint does not answer %s; it answers %s.", Clip(method), list),
	}
}

// Clip shortens outside input before it is put into a message.
func Clip(s string) string {
	return renga.Clip(s, 64)
}
