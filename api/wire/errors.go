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

// Problem is an error that the API itself finds, and how it is answered.
type Problem struct {
	kind        renga.Kind // for rooms that it passes through
	status      int
	id, message string
	resource    string // what was not found, a word that clients compare; may be empty
	allow       string // for 405
	challenge   bool   // for 401
}

func (p *Problem) Error() string { return p.message }

// Unwrap gives an error of the same kind.
func (p *Problem) Unwrap() error { return &renga.Error{Kind: p.kind, Message: p.message} }

// errorBody is an error as Heroku's API sends it.
type errorBody struct {
	Resource string `json:"resource,omitempty"`
	ID       string `json:"id"`
	Message  string `json:"message"`
}

// StatusOf gives the HTTP status and Heroku's id for a kind of error.
func StatusOf(kind renga.Kind) (status int, id string) {
	switch kind {
	case renga.Invalid, renga.Conflict: // Heroku answers a taken name as an invalid one
		return http.StatusUnprocessableEntity, "invalid_params"
	case renga.Unconfirmed:
		return http.StatusUnprocessableEntity, "confirmation_required"
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

// statusGone is logged for a request whose client has disconnected. No client gets
// it.
const statusGone = 499

// fail answers an error. The cause of an internal error goes to the log, not to the
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

// asProblem says how an error is answered. An error without a kind is an internal
// one.
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

// ReplyFault answers with an internal error.
func ReplyFault(w http.ResponseWriter) {
	p := asProblem(nil)
	reply(w, p.status, errorBody{ID: p.id, Message: p.message})
}

// The problems that the API itself finds.

func errUnauthorized() *Problem {
	return &Problem{
		kind: renga.Unauthorized, status: http.StatusUnauthorized, id: "unauthorized",
		message: "Invalid credentials provided.", challenge: true,
	}
}

// NotFound is the answer for a resource that does not exist: "app", "process type".
func NotFound(resource string) *Problem {
	return &Problem{
		kind: renga.NotFound, status: http.StatusNotFound, id: "not_found",
		resource: strings.ReplaceAll(resource, " ", "_"), message: fmt.Sprintf("Couldn't find that %s.", resource),
	}
}

// OrNotFound turns a NotFound error of another room into Heroku's words for the
// resource. It returns other errors unchanged.
func OrNotFound(err error, resource string) error {
	var own *Problem
	if renga.KindOf(err) == renga.NotFound && !errors.As(err, &own) {
		return NotFound(resource)
	}
	return err
}

// BadRequest is the answer to what is not a request of this API.
func BadRequest(format string, args ...any) *Problem {
	return &Problem{
		kind: renga.Invalid, status: http.StatusBadRequest, id: "bad_request", message: fmt.Sprintf(format, args...),
	}
}

// Invalid is the answer to a request whose content makes it impossible.
func Invalid(format string, args ...any) *Problem {
	status, id := StatusOf(renga.Invalid)
	return &Problem{kind: renga.Invalid, status: status, id: id, message: fmt.Sprintf(format, args...)}
}

// otherMethod answers a request whose path has routes, but not for its method.
// Heroku calls that an endpoint that does not exist; the Allow header lists the
// methods that do.
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

// MethodNotAllowed is the answer for paths that Heroku does not have.
func MethodNotAllowed(method string, allowed ...string) *Problem {
	list := strings.Join(allowed, ", ")
	return &Problem{
		kind: renga.Invalid, status: http.StatusMethodNotAllowed, id: "method_not_allowed", allow: list,
		message: fmt.Sprintf("This endpoint does not answer %s; it answers %s.", Clip(method), list),
	}
}

// Clip shortens input before it is put into a message.
func Clip(s string) string {
	return renga.Clip(s, 64)
}
