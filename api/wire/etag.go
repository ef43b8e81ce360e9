package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// TagAnswers gives each good JSON answer of a GET an ETag, a hash of its body, and
// answers 304 without the body when the client sends it in If-None-Match. A part of
// a list (206) has none, because the hash would not include its Range.
func TagAnswers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !reads(r) {
			next.ServeHTTP(w, r)
			return
		}
		buffered := &bufferedAnswer{ResponseWriter: w, wants: func(status int, contentType string) bool {
			return status == http.StatusOK && isJSON(contentType)
		}}
		next.ServeHTTP(buffered, r)
		if buffered.buffers {
			sendTagged(buffered, r.Header.Get("If-None-Match"))
		}
	})
}

// reads tells whether a request changes nothing.
func reads(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// sendTagged sends an answer, unless the client has it already.
func sendTagged(buffered *bufferedAnswer, known string) {
	sum := sha256.Sum256(buffered.body.Bytes())
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	buffered.Header().Set("ETag", tag)
	if namesTag(known, tag) {
		buffered.Header().Del("Content-Type")
		buffered.ResponseWriter.WriteHeader(http.StatusNotModified)
		return
	}
	buffered.send()
}

// namesTag tells whether an If-None-Match header contains the tag. Weak tags count
// as well: a proxy that compresses answers makes strong ones weak.
func namesTag(header, tag string) bool {
	for name := range strings.SplitSeq(header, ",") {
		if name = strings.TrimPrefix(strings.TrimSpace(name), "W/"); name == tag || name == "*" {
			return true
		}
	}
	return false
}
