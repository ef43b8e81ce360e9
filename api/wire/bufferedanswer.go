package wire

import (
	"bytes"
	"net/http"
	"strings"
)

// bufferedAnswer keeps an answer in memory until it is whole, if its status and
// content type are wanted. It passes on all other answers, streams among them, at
// once.
type bufferedAnswer struct {
	http.ResponseWriter
	wants            func(status int, contentType string) bool
	decided, buffers bool
	status           int
	body             bytes.Buffer
}

func (a *bufferedAnswer) WriteHeader(status int) {
	if !a.decided {
		a.decided, a.status = true, status
		a.buffers = a.wants(status, a.Header().Get("Content-Type"))
	}
	if !a.buffers {
		a.ResponseWriter.WriteHeader(status)
	}
}

func (a *bufferedAnswer) Write(b []byte) (int, error) {
	if !a.decided {
		a.WriteHeader(http.StatusOK)
	}
	if a.buffers {
		return a.body.Write(b)
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap gives http.ResponseController the writer's other abilities.
func (a *bufferedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// send sends what was kept in memory.
func (a *bufferedAnswer) send() {
	a.ResponseWriter.WriteHeader(a.status)
	_, _ = a.ResponseWriter.Write(a.body.Bytes()) // a client that has left needs no answer
}

// isJSON tells whether a content type is JSON of some kind.
func isJSON(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.TrimSpace(strings.ToLower(kind))
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}
