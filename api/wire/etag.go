package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// TagAnswers gives each good JSON answer of a GET an ETag, a hash of its body,
// and answers 304 without the body when the client names it in If-None-Match.
// Parts of lists (206) have none: their Range is not part of what is tagged.
func TagAnswers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !reads(r) {
			next.ServeHTTP(w, r)
			return
		}
		held := &heldAnswer{ResponseWriter: w, wants: func(status int, contentType string) bool {
			return status == http.StatusOK && isJSON(contentType)
		}}
		next.ServeHTTP(held, r)
		if held.holds {
			sendTagged(held, r.Header.Get("If-None-Match"))
		}
	})
}

// reads tells whether a request changes nothing.
func reads(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// sendTagged sends an answer, if it is not what the client has.
func sendTagged(held *heldAnswer, known string) {
	sum := sha256.Sum256(held.body.Bytes())
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	held.Header().Set("ETag", tag)
	if namesTag(known, tag) {
		held.Header().Del("Content-Type")
		held.ResponseWriter.WriteHeader(http.StatusNotModified)
		return
	}
	held.send()
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
