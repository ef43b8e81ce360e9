package wire

import (
	"context"
	"net/http"
	"regexp"

	"github.com/google/uuid"

	"renga"
)

// RequestInfo is what becomes known of one request on its way: who asks, for which
// app. The access log reads it at the end.
type RequestInfo struct {
	ID     string
	Bearer renga.Bearer
	Target renga.App // that the path names
	App    string    // its name, for the logs
	answer http.Header
	// unneeded are the fields of the body that the route does not need.
	unneeded map[string]string
}

type infoKey struct{}

// requestID is the form of a client's Request-Id that is kept. Others, such as
// the ever longer lists of some clients, are replaced.
var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{8,128}$`)

// WithRequestInfo gives each request an id, the client's own when it is usable, and
// tells it in the answer's Request-Id header.
func WithRequestInfo(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("Request-Id")
		if !requestID.MatchString(id) {
			id = uuid.NewString()
		}
		w.Header().Set("Request-Id", id)
		ctx := context.WithValue(r.Context(), infoKey{}, &RequestInfo{ID: id})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// InfoOf is what is known of the request; WithRequestInfo has put it there.
func InfoOf(r *http.Request) *RequestInfo { return infoIn(r.Context()) }

// infoIn is what is known of the request of a context; nothing for any other.
func infoIn(ctx context.Context) *RequestInfo {
	v, ok := ctx.Value(infoKey{}).(*RequestInfo)
	if !ok {
		return &RequestInfo{}
	}
	return v
}

// Caller is the account that asks.
func Caller(r *http.Request) renga.Account { return InfoOf(r).Bearer.Account }
