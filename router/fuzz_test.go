package router_test

import (
	"regexp"
	"strings"
	"testing"

	"renga"
	"renga/router"
)

func FuzzHostname(f *testing.F) {
	for _, s := range []string{"", ":", "a:1", "A.b.:80", "[::1]:80", "[::1]", "::1", "a:b:c", "bücher.DE", "]:", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h := renga.Hostname(s)
		if strings.ContainsAny(h, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
			t.Errorf("%q has capitals", h)
		}
		if len(h) > len(s) {
			t.Errorf("%q is longer than %q", h, s)
		}
		if !strings.Contains(s, ":") && !strings.HasSuffix(s, ".") {
			if got := renga.Hostname(s + ":8080"); got != h {
				t.Errorf("with a port %q, without %q", got, h)
			}
			if got := renga.Hostname(h); got != h {
				t.Errorf("once %q, twice %q", h, got)
			}
		}
	})
}

func FuzzRequestID(f *testing.F) {
	for _, s := range []string{
		"", strings.Repeat("a", 19), strings.Repeat("a", 20), strings.Repeat("Z", 201), "01234567890123456789\n",
		"9b2f6d1e-6d0f-4b0e-9a37-0f1d2c3b4a59",
	} {
		f.Add(s)
	}
	valid := regexp.MustCompile(`\A[A-Za-z0-9-]{20,200}\z`)
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := router.ValidRequestID(s), valid.MatchString(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	})
}
