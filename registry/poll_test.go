package registry_test

import (
	"net/http"
	"testing"
	"time"

	"renga"
	"renga/egress"
	"renga/registry"
)

// A tag is asked for by one HEAD that says what was answered last, and by a GET only
// where that tells no digest.
func TestPollATag(t *testing.T) {
	w, other := newFixture(t), newOther(t)
	img := image(t)
	ref, dgst := other.push(t, "acme/shop:v1", img), digestOf(t, img)
	c := registry.NewCopier(w.reg, loopback())
	headers := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	for name, tc := range map[string]struct {
		last    renga.TagAnswer
		answers func(etag string) (int, http.Header) // to HEAD; nil to answer as a registry does
		want    renga.TagAnswer
		kind    renga.Kind
		gets    int
	}{
		"the first time": {want: renga.TagAnswer{Digest: dgst}},
		"with an ETag": {
			last: renga.TagAnswer{Digest: "sha256:old", ETag: `"old"`},
			answers: func(etag string) (int, http.Header) {
				if etag != `"old"` {
					return http.StatusBadRequest, nil
				}
				return http.StatusOK, headers("Docker-Content-Digest", dgst, "ETag", `"new"`)
			},
			want: renga.TagAnswer{Digest: dgst, ETag: `"new"`},
		},
		"nothing new": {
			last: renga.TagAnswer{Digest: dgst, ETag: `"new"`},
			answers: func(string) (int, http.Header) {
				return http.StatusNotModified, nil
			},
			want: renga.TagAnswer{Digest: dgst, ETag: `"new"`},
		},
		"nothing new, though nothing was asked": {
			answers: func(string) (int, http.Header) { return http.StatusNotModified, nil }, kind: renga.Unavailable,
		},
		"no digest in the answer": {
			answers: func(string) (int, http.Header) { return http.StatusOK, nil },
			want:    renga.TagAnswer{Digest: dgst}, gets: 1,
		},
		"no HEAD": {
			answers: func(string) (int, http.Header) { return http.StatusMethodNotAllowed, nil },
			want:    renga.TagAnswer{Digest: dgst}, gets: 1,
		},
		"too often": {
			answers: func(string) (int, http.Header) { return http.StatusTooManyRequests, headers("Retry-After", "120") },
			want:    renga.TagAnswer{Wait: 2 * time.Minute}, kind: renga.TooMany,
		},
		"put off for years": {
			answers: func(string) (int, http.Header) {
				return http.StatusTooManyRequests, headers("Retry-After", "99999999999")
			},
			want: renga.TagAnswer{Wait: 24 * time.Hour}, kind: renga.TooMany,
		},
		"not let in":  {answers: func(string) (int, http.Header) { return http.StatusForbidden, nil }, kind: renga.Forbidden},
		"no such tag": {answers: func(string) (int, http.Header) { return http.StatusNotFound, nil }, kind: renga.NotFound},
		"broken":      {answers: func(string) (int, http.Header) { return http.StatusBadGateway, nil }, kind: renga.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			other.set(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodHead || tc.answers == nil {
					return false
				}
				status, h := tc.answers(r.Header.Get("If-None-Match"))
				for k := range h {
					w.Header().Set(k, h.Get(k))
				}
				w.WriteHeader(status)
				return true
			})
			got, err := c.Poll(t.Context(), ref, renga.SourceLogin{}, tc.last)
			if got != tc.want || renga.KindOf(err) != tc.kind {
				t.Errorf("%+v, %v; want %+v, %q", got, err, tc.want, tc.kind)
			}
			path := "/v2/acme/shop/manifests/v1"
			if heads, gets := other.asked["HEAD "+path], other.asked["GET "+path]; heads != 1 || gets != tc.gets {
				t.Errorf("it was asked %v", other.asked)
			}
		})
	}
}

// Polling goes nowhere where copies do not.
func TestPollForbiddenAddresses(t *testing.T) {
	w, other := newFixture(t), newOther(t)
	ref := other.push(t, "acme/shop:v1", image(t))
	other.set(nil)
	strict := registry.SourceOptions{Dial: egress.New(nil).Dial}
	_, err := registry.NewCopier(w.reg, strict).Poll(t.Context(), ref, renga.SourceLogin{}, renga.TagAnswer{})
	if n := other.asked["HEAD /v2/acme/shop/manifests/v1"]; n != 0 || renga.KindOf(err) != renga.Forbidden {
		t.Errorf("this machine was asked %d times, %v", n, err)
	}
}
