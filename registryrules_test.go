package renga_test

import (
	"slices"
	"strings"
	"testing"

	"renga"
)

func TestImmutableTags(t *testing.T) {
	for _, row := range []struct {
		patterns  string
		immutable []string
		free      []string
	}{
		{"", nil, []string{"latest", "v1"}},
		{"*", []string{"latest", "v1", "sha256-ab.sig"}, nil},
		{"* !latest", []string{"v1", "latest2"}, []string{"latest"}},
		{"!latest *", []string{"v1"}, []string{"latest"}}, // in any order
		{"v* release-?", []string{"v1", "v", "release-1"}, []string{"latest", "release-10", "V1"}},
		{"v* !v*-rc", []string{"v1"}, []string{"v1-rc"}},
	} {
		rules := renga.RegistryRules{ImmutableTags: strings.Fields(row.patterns)}
		if err := rules.Validate(); err != nil {
			t.Errorf("%s: %v", row.patterns, err)
		}
		for _, tag := range slices.Concat(row.immutable, row.free) {
			if got, want := rules.Immutable(tag), slices.Contains(row.immutable, tag); got != want {
				t.Errorf("%s makes %s immutable: %v", row.patterns, tag, got)
			}
		}
	}
	for _, bad := range [][]string{
		{"!latest"}, {"a b"}, {""}, {"!"}, {"[a-z]"}, {"!!v1"}, {strings.Repeat("v", 129)}, slices.Repeat([]string{"v*"}, 21),
	} {
		if err := (renga.RegistryRules{ImmutableTags: bad}).Validate(); renga.KindOf(err) != renga.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
