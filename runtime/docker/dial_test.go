package docker_test

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"renga"
)

func TestPortsAreReachedFromWhereTheDynoIs(t *testing.T) {
	w := newFixture(t)
	s := w.spec("listen-elsewhere")
	in := w.start(s)
	other := w.start(again(s, "serve"))
	otherHost, otherPort, _ := net.SplitHostPort(other.Addr)
	port, err := strconv.Atoi(otherPort)
	if err != nil {
		t.Fatal(err)
	}
	mine, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mine.Close() }() // nobody came
	minePort := uint16(mine.Addr().(*net.TCPAddr).Port)
	until(t, "the dynos listen", func() bool {
		ports, err := w.engine.Ports(t.Context(), in.ID)
		if err != nil {
			t.Fatal(err)
		}
		served, err := w.engine.Ports(t.Context(), other.ID)
		return err == nil && len(ports) == 2 && len(served) == 1
	})
	for _, c := range []struct {
		host  string
		port  uint16
		fails string
	}{
		{"0.0.0.0", 3000, ""}, // which listens on the loopback address only
		{"localhost", 3000, ""},
		{"127.0.0.1", 9999, ""},
		{"0.0.0.0", 3001, "refused"},
		{otherHost, uint16(port), ""},
		{strings.TrimPrefix(w.inspect(other.ID).Name, "/"), uint16(port), ""},
		{"no.such.host.invalid", 80, "no such host"},
		{"127.0.0.1", minePort, "refused"}, // that is ours, and not the dyno's
		{"localhost", minePort, "refused"},
	} {
		conn, err := w.engine.Dial(t.Context(), in.ID, c.host, c.port)
		if err == nil {
			_ = conn.Close() // it was let in
		}
		if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
			t.Errorf("%s port %d: %v, want %q", c.host, c.port, err, c.fails)
		}
	}
	if err := w.engine.Kill(t.Context(), in.ID); err != nil {
		t.Fatal(err)
	}
	w.exited(in.App, in.ID)
	if _, err := w.engine.Dial(t.Context(), in.ID, "0.0.0.0", 3000); renga.KindOf(err) != renga.NotFound {
		t.Errorf("in a dyno that has ended: %v", err)
	}
}
