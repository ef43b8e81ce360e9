package main

import (
	"net"
	"strconv"
	"strings"
	"testing"
)

func TestASuccessorGetsWhoCameBeforeIt(t *testing.T) {
	s, err := parse(t, nil, "--listen", "127.0.0.1:0", "--listen-tls", "off", "--metrics-listen", "")
	if err != nil {
		t.Fatal(err)
	}
	first, err := listen(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	address := first[0].Addr().String()
	n := &successor{listeners: first}
	if n.asked() {
		t.Error("it is asked for already")
	}
	n.keep()
	if !n.asked() {
		t.Error("it is not asked for")
	}
	if err := first[0].Close(); err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatalf("nobody listens in between: %v", err)
	}
	defer func() { _ = client.Close() }() // nothing was sent

	var names []string
	for _, fd := range n.fds {
		names = append(names, strconv.Itoa(fd))
	}
	left, err := inherited(strings.Join(names, ","))
	if err != nil {
		t.Fatal(err)
	}
	s.Listen = []string{address}
	second, err := listen(t.Context(), s, left)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second[0].Close() }() // the test is over
	server, err := second[0].Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }() // nothing was sent
	if server.RemoteAddr().String() != client.LocalAddr().String() {
		t.Errorf("accepted %s, want %s", server.RemoteAddr(), client.LocalAddr())
	}
}

func TestInheritedListenersThatAreNotSetAnyMoreAreClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := parse(t, nil, "--listen", "127.0.0.1:0", "--listen-tls", "off", "--metrics-listen", "")
	if err != nil {
		t.Fatal(err)
	}
	listeners, err := listen(t.Context(), s, map[string]net.Listener{l.Addr().String(): l})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listeners[0].Close() }() // the test is over
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the port that is not set any more is still open")
	}
}

func TestAListenerIsTakenByWhatItsAddressMeans(t *testing.T) {
	for _, c := range []struct {
		at, asked string
		takes     bool
	}{
		{"127.0.0.1:0", "127.0.0.1", true},
		{"127.0.0.1:0", "localhost", true},
		{"127.0.0.1:0", "127.0.0.2", false},
		{":0", "", true},
		{":0", "0.0.0.0", true},
		{":0", "127.0.0.1", false},
	} {
		l, err := net.Listen("tcp", c.at)
		if err != nil {
			t.Fatal(err)
		}
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, took := take(map[string]net.Listener{"x": l}, net.JoinHostPort(c.asked, port))
		if took != c.takes {
			t.Errorf("listening at %s, asked for %q: %t", c.at, c.asked, took)
		}
		_ = l.Close() // the test's own
	}
}
