package docker

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"renga"
)

func TestAnotherProcesssNetworkIsNotEntered(t *testing.T) {
	_, err := enter(os.Getpid(), strings.Repeat("a", 64))
	if err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a process of no container: %v", err)
	}
	if _, err := enter(0, strings.Repeat("a", 64)); err == nil {
		t.Error("no process was entered")
	}
}

// TestWithoutItsNetworkOnlyTheDynoItselfIsReached stands for a machine where
// namespaces cannot be entered. The dyno's address is one of ours here.
func TestWithoutItsNetworkOnlyTheDynoItselfIsReached(t *testing.T) {
	own := netip.MustParseAddr("127.77.0.1")
	l, err := net.Listen("tcp", netip.AddrPortFrom(own, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nobody comes any more
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	cause := errors.New("not from here")
	for _, host := range []string{"", "0.0.0.0", "::", "localhost", "127.0.0.1", "::1", own.String()} {
		conn, err := dialOwn(t.Context(), own, host, port, cause)
		if err != nil || conn.RemoteAddr().String() != l.Addr().String() {
			t.Errorf("%q: %v", host, err)
			continue
		}
		_ = conn.Close() // it was let in
	}
	for _, host := range []string{"10.0.0.1", "example.com", "redis"} {
		_, err := dialOwn(t.Context(), own, host, port, cause)
		if renga.KindOf(err) != renga.Unavailable || !errors.Is(err, cause) ||
			!strings.Contains(err.Error(), "CAP_SYS_ADMIN") {
			t.Errorf("%q: %v", host, err)
		}
	}
	if _, err := dialOwn(t.Context(), netip.Addr{}, "localhost", port, cause); err == nil {
		t.Error("a dyno without an address was reached")
	}
	_ = l.Close()
	_, err = dialOwn(context.Background(), own, "0.0.0.0", port, cause)
	if err == nil || !strings.Contains(err.Error(), "loopback address only") {
		t.Errorf("a port that nobody listens on: %v", err)
	}
}
