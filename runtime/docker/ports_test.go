package docker_test

import (
	"slices"
	"testing"
)

func TestPortsTellsWhereElseADynoListens(t *testing.T) {
	w := newFixture(t)
	s := w.spec("listen-elsewhere")
	in := w.start(s)
	var ports []string
	until(t, "it listens", func() bool {
		var err error
		if ports, err = w.engine.Ports(t.Context(), in.ID); err != nil {
			t.Fatal(err)
		}
		return slices.Contains(ports, "127.0.0.1:3000") && slices.Contains(ports, "[::]:9999")
	})
	if len(ports) != 2 {
		t.Errorf("%v; want these two, and not Docker's name server", ports)
	}
	if err := w.engine.Kill(t.Context(), in.ID); err != nil {
		t.Fatal(err)
	}
	if ports, err := w.engine.Ports(t.Context(), in.ID); err != nil || len(ports) != 0 {
		t.Errorf("of a dead one: %v, %v", ports, err)
	}
}
