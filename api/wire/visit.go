package wire

import (
	"context"
	"net/http"
	"regexp"

	"github.com/google/uuid"

	"renga"
)

// Visit is what becomes known of one request on its way: who asks, for which
// app. The access log reads it at the end.
type Visit struct {
	ID     string
	Bearer renga.Bearer
	Target renga.App // that the path names
	App    string    // its name, for the logs
	answer http.Header
	// unneeded are the fields of the body that the route does not need.
	unneeded map[string]string
}

type visitKey struct{}

// requestID is the form of a client's Request-Id that is kept. Others, such as
// the ever longer lists of some clients, are replaced.
var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{8,128}$`)

// WithVisit gives each request an id, the client's own when it is usable, and
// tells it in the answer's Request-Id header.
func WithVisit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("Request-Id")
		if !requestID.MatchString(id) {
			id = uuid.NewString()
		}
		w.Header().Set("Request-Id", id)
		ctx := context.WithValue(r.Context(), visitKey{}, &Visit{ID: id})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// VisitOf is the request's visit; WithVisit has put it there.
func VisitOf(r *http.Request) *Visit { return visitIn(r.Context()) }

// visitIn is the visit of a request's context; an empty one of any other.
func visitIn(ctx context.Context) *Visit {
	v, ok := ctx.Value(visitKey{}).(*Visit)
	if !ok {
		return &Visit{}
	}
	return v
}

// Caller is the account that asks.
func Caller(r *http.Request) renga.Account { return VisitOf(r).Bearer.Account }
