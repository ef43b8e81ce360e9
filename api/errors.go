package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"renga"
)

// problem is an error that the API itself finds: it says how it is answered.
type problem struct {
	kind        renga.Kind // what it is to the rooms that it may pass through
	status      int
	id, message string
	resource    string // what was not found, as clients compare it; may be empty
	allow       string // for 405
	challenge   bool   // for 401
}

func (p *problem) Error() string { return p.message }

// Unwrap lets others see the kind.
func (p *problem) Unwrap() error { return &renga.Error{Kind: p.kind, Message: p.message} }

// errorBody is Heroku's error on the wire.
type errorBody struct {
	Resource string `json:"resource,omitempty"`
	ID       string `json:"id"`
	Message  string `json:"message"`
}

// form is the table from kinds of error to Heroku's status and id.
func form(kind renga.Kind) (status int, id string) {
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
		d.Log.Error("request failed", "request", visitOf(r).id, "app", visitOf(r).app, "err", err)
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
func asProblem(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	kind := renga.KindOf(err)
	if kind == renga.Unauthorized {
		return errUnauthorized()
	}
	status, id := form(kind)
	return &problem{status: status, id: id, message: renga.MessageOf(err, "Internal server error.")}
}

// replyFault answers that something is wrong on our side.
func replyFault(w http.ResponseWriter) {
	p := asProblem(nil)
	reply(w, p.status, errorBody{ID: p.id, Message: p.message})
}

// The problems the API itself finds.

func errUnauthorized() *problem {
	return &problem{
		kind: renga.Unauthorized, status: http.StatusUnauthorized, id: "unauthorized",
		message: "Invalid credentials provided.", challenge: true,
	}
}

// notFound says that there is no such resource: "app", "process type".
func notFound(resource string) *problem {
	return &problem{
		kind: renga.NotFound, status: http.StatusNotFound, id: "not_found",
		resource: strings.ReplaceAll(resource, " ", "_"), message: fmt.Sprintf("Couldn't find that %s.", resource),
	}
}

// orNotFound gives a NotFound error of another room the words and the resource
// of Heroku; other errors pass.
func orNotFound(err error, resource string) error {
	var own *problem
	if renga.KindOf(err) == renga.NotFound && !errors.As(err, &own) {
		return notFound(resource)
	}
	return err
}

func badRequest(format string, args ...any) *problem {
	return &problem{
		kind: renga.Invalid, status: http.StatusBadRequest, id: "bad_request", message: fmt.Sprintf(format, args...),
	}
}

func invalid(format string, args ...any) *problem {
	status, id := form(renga.Invalid)
	return &problem{kind: renga.Invalid, status: status, id: id, message: fmt.Sprintf(format, args...)}
}

func noEndpoint(http.ResponseWriter, *http.Request) error {
	return &problem{
		kind: renga.NotFound, status: http.StatusNotFound, id: "not_found",
		message: "The requested API endpoint was not found. Are you using the right HTTP verb (i.e. `GET` vs. `POST`), and did you specify your intended version with the `Accept` header?",
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
		return noEndpoint(w, r)
	}
}

// methodNotAllowed is for what is ours alone, and not Heroku's.
func methodNotAllowed(method string, allowed ...string) *problem {
	list := strings.Join(allowed, ", ")
	return &problem{
		kind: renga.Invalid, status: http.StatusMethodNotAllowed, id: "method_not_allowed", allow: list,
		message: fmt.Sprintf("This endpoint does not answer %s; it answers %s.", clip(method), list),
	}
}

// clip shortens outside input before it is put into a message.
func clip(s string) string {
	return renga.Clip(s, 64)
}
