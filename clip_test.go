package renga_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"renga"
)

func TestHeadCutsNoCharacter(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"short", 9, "short"}, {"exact", 5, "exact"}, {"longer", 4, "long"},
		{"a€b", 4, "a€"}, {"a€b", 3, "a"}, {"a€b", 2, "a"}, {"a€b", 1, "a"}, {"€", 2, ""}, {"😀", 3, ""}, {"x😀", 4, "x"},
		{"\x80\x80\x80\x80\x80\x80", 5, "\x80\x80\x80\x80\x80"}, // no text at all
		{"abc", 0, ""}, {"€", 0, ""},
	} {
		if got := renga.Head(c.text, c.n); got != c.want {
			t.Errorf("the first %d of %q are %q, want %q", c.n, c.text, got, c.want)
		}
	}
	if got := renga.Clip(strings.Repeat("é", 50), 41); got != strings.Repeat("é", 20)+"…" {
		t.Errorf("clipped to %q", got)
	}
	if got := renga.Clip("whole", 5); got != "whole" {
		t.Errorf("clipped to %q", got)
	}
}

// TestMessagesHoldWholeCharacters gives validators odd names of every length.
func TestMessagesHoldWholeCharacters(t *testing.T) {
	for n := range 100 {
		text := strings.Repeat("x", n) + strings.Repeat("€", 60)
		for _, err := range []error{
			renga.ValidateAppName(text), renga.ValidateHostname(text, "renga.localhost"),
			renga.ValidateProcessType(renga.ProcessType(text)),
			renga.ValidateVars(renga.Vars{text: "v"}), renga.ValidateScopes(renga.Scopes{renga.Scope(text)}, false),
		} {
			if err == nil || !utf8.ValidString(err.Error()) || strings.Contains(err.Error(), `\x`) {
				t.Fatalf("%q is refused with %q", text, err)
			}
		}
	}
}
