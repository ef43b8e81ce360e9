package renga_test

import (
	"testing"

	"renga"
)

func TestHostname(t *testing.T) {
	for host, want := range map[string]string{
		"":                    "",
		"Hello.Example.:8080": "hello.example",
		"[2001:DB8::1]:80":    "[2001:db8::1]",
		"[::1]":               "[::1]",
		"192.0.2.1:80":        "192.0.2.1",
		"\u212Aelvin.Example": "\u212Aelvin.example", // the sign for kelvin, whose lower case is a k
	} {
		if got := renga.Hostname(host); got != want {
			t.Errorf("%q is %q, want %q", host, got, want)
		}
	}
}
