package wire

import (
	"context"
	"net/http"
	"regexp"

	"github.com/google/uuid"

	"renga"
)

// RequestInfo is what the API finds out about a request: who calls, for which app.
// The access log reads it at the end.
type RequestInfo struct {
	ID     string
	Bearer renga.Bearer
	Target renga.App // that the path names
	App    string    // its name, for the logs
	answer http.Header
	// unneeded are the fields of the body that the route does without.
	unneeded map[string]string
}

type infoKey struct{}

// requestID is the form of a client's Request-Id that is kept. Others are replaced:
// some clients send ever longer lists.
var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{8,128}$`)

// WithRequestInfo gives each request an id, the client's own if it has the right
// form, and sends it in the answer's Request-Id header.
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

// InfoOf gives the RequestInfo that WithRequestInfo has put into the request.
func InfoOf(r *http.Request) *RequestInfo { return infoIn(r.Context()) }

// infoIn gives the RequestInfo in a context; an empty one if it has none.
func infoIn(ctx context.Context) *RequestInfo {
	v, ok := ctx.Value(infoKey{}).(*RequestInfo)
	if !ok {
		return &RequestInfo{}
	}
	return v
}

// Caller is the account whose token the request has.
func Caller(r *http.Request) renga.Account { return InfoOf(r).Bearer.Account }
