package api

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"renga/api/wire"
)

// recoverPanics answers a panic with 500. The panic and its stack go to the log
// only.
func (s *Server) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p) // net/http's own way to cut a connection
			}
			s.Log.Error("panic in a request", "request", wire.InfoOf(r).ID, "app", wire.InfoOf(r).App,
				"err", fmt.Sprint(p), "stack", string(debug.Stack()))
			wire.ReplyFault(w)
		}()
		next.ServeHTTP(w, r)
	})
}
