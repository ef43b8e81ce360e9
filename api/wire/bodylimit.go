package wire

import (
	"net/http"
	"strings"
)

// maxBodyBytes bounds a request's body. The largest that a client has reason to
// send is a whole set of config vars, 64 KiB before JSON escapes it.
const maxBodyBytes = 1 << 20

// LargeBodies begins the paths of routes that bound their bodies themselves, for those
// have reason to be large.
const LargeBodies = "/streams/sources/"

// LimitBody makes reading past maxBodyBytes an error, which Decode answers with
// 413.
func LimitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, LargeBodies) {
			r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
		}
		next.ServeHTTP(w, r)
	})
}
