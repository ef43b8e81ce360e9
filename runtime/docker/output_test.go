package docker_test

import (
	"slices"
	"testing"
)

func TestTailPutsLongLinesTogetherAndCutsThem(t *testing.T) {
	w := newFixture(t)
	s := w.spec("long")
	in := w.exited(s.App, w.start(s).ID)
	lines, err := w.engine.Tail(t.Context(), in.ID, 100)
	if err != nil {
		t.Fatal(err)
	}
	long := func(line string) bool { return len(line) == 10_000 }
	// Docker reads each stream by itself: which comes first is chance.
	if len(lines) != 3 || !slices.ContainsFunc(lines, long) || !slices.Contains(lines, "from stderr") ||
		!slices.Contains(lines, "no newline") {
		t.Errorf("%d lines: %.80q", len(lines), lines)
	}
	if lines, err := w.engine.Tail(t.Context(), in.ID, 0); err != nil || lines != nil {
		t.Errorf("no lines: %q, %v", lines, err)
	}
}
