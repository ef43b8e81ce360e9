package wire

import (
	"bytes"
	"net/http"
	"strings"
)

// heldAnswer keeps an answer back until it is whole, if its status and content
// type are wanted. All other answers, streams among them, pass.
type heldAnswer struct {
	http.ResponseWriter
	wants          func(status int, contentType string) bool
	decided, holds bool
	status         int
	body           bytes.Buffer
}

func (h *heldAnswer) WriteHeader(status int) {
	if !h.decided {
		h.decided, h.status = true, status
		h.holds = h.wants(status, h.Header().Get("Content-Type"))
	}
	if !h.holds {
		h.ResponseWriter.WriteHeader(status)
	}
}

func (h *heldAnswer) Write(b []byte) (int, error) {
	if !h.decided {
		h.WriteHeader(http.StatusOK)
	}
	if h.holds {
		return h.body.Write(b)
	}
	return h.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find the writer's other abilities.
func (h *heldAnswer) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// send lets go of what was held.
func (h *heldAnswer) send() {
	h.ResponseWriter.WriteHeader(h.status)
	_, _ = h.ResponseWriter.Write(h.body.Bytes()) // a client that left misses nothing
}

// isJSON tells whether a content type is JSON of some kind.
func isJSON(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.TrimSpace(strings.ToLower(kind))
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}
