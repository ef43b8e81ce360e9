package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// tagAnswers gives each good JSON answer of a GET an ETag, a hash of its body,
// and answers 304 without the body when the client names it in If-None-Match.
// Parts of lists (206) have none: their Range is not part of what is tagged.
func tagAnswers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		held := &heldAnswer{ResponseWriter: w}
		next.ServeHTTP(held, r)
		held.release(r.Header.Get("If-None-Match"))
	})
}

// heldAnswer keeps a JSON answer back until it is whole. All other answers,
// streams among them, pass.
type heldAnswer struct {
	http.ResponseWriter
	decided, holds bool
	body           bytes.Buffer
}

func (h *heldAnswer) WriteHeader(status int) {
	if !h.decided {
		h.decided = true
		h.holds = status == http.StatusOK && isJSON(h.Header().Get("Content-Type"))
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

// release sends what was held, if it is not what the client has.
func (h *heldAnswer) release(known string) {
	if !h.holds {
		return
	}
	sum := sha256.Sum256(h.body.Bytes())
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	h.Header().Set("ETag", tag)
	if namesTag(known, tag) {
		h.Header().Del("Content-Type")
		h.ResponseWriter.WriteHeader(http.StatusNotModified)
		return
	}
	h.ResponseWriter.WriteHeader(http.StatusOK)
	_, _ = h.ResponseWriter.Write(h.body.Bytes()) // a client that left misses nothing
}

// isJSON tells whether a content type is JSON of some kind.
func isJSON(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.TrimSpace(strings.ToLower(kind))
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

// namesTag tells whether an If-None-Match header names the tag. Weak tags count
// as well: a proxy that packs answers makes strong ones weak.
func namesTag(header, tag string) bool {
	for name := range strings.SplitSeq(header, ",") {
		if name = strings.TrimPrefix(strings.TrimSpace(name), "W/"); name == tag || name == "*" {
			return true
		}
	}
	return false
}
