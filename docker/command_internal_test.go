package docker

import (
	"slices"
	"testing"
)

func TestCandidatesAreThoseOfExecvp(t *testing.T) {
	for _, c := range []struct {
		command, path, dir string
		want               []string
	}{
		{"/bin/a", "/x", "/app", []string{"/bin/a"}},
		{"./a", "/x", "/app", []string{"/app/a"}},
		{"b/a", "/x", "", []string{"/b/a"}},
		{"a", "/x:/y/", "/app", []string{"/x/a", "/y/a"}},
		{"a", "/x::rel", "/app", []string{"/x/a", "/app/a", "/app/rel/a"}},
	} {
		if got := candidates(c.command, c.path, c.dir); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v; want %v", c.command, got, c.want)
		}
	}
	if got := pathOf([]string{"A=1", "PATH=/x"}); got != "/x" {
		t.Errorf("PATH %s", got)
	}
	if got := pathOf(nil); got != defaultPath {
		t.Errorf("PATH %s", got)
	}
}
