package attach_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"renga/attach"
)

// echoing listens, and gives every client back what it says.
func echoing(t *testing.T) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // nobody listens any more
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn) // what is missing is missed by the client
				_ = conn.Close()
			}()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// through says something through a tunnel and gives what comes back.
func through(t *testing.T, client *ssh.Client, port, text string) string {
	t.Helper()
	conn, err := client.Dial("tcp", "0.0.0.0:"+port)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(conn, text) // what is missing is missed below
		_ = conn.(interface{ CloseWrite() error }).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestTunnelsLeadToTheDynosPortsOverMoreThanOneConnection(t *testing.T) {
	d := newFixture(t, attach.Options{})
	port := echoing(t)
	user, key := d.admit(t, &fakeRunningDyno{session: newDyno()})
	much := string(noise(1 << 20))
	for range 2 {
		client, err := d.dial(t, user, key)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"hello", much} {
			if got := through(t, client, port, text); got != text {
				t.Errorf("of %d bytes %d came back", len(text), len(got))
			}
		}
		if _, err := client.Dial("tcp", "10.0.0.1:80"); err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("where nobody is: %v", err)
		}
	}
	d.open(t, user, key)
	if _, err := d.dial(t, user, key); err == nil {
		t.Error("after a session it came in again")
	}
}

func TestASilentTunnelIsClosed(t *testing.T) {
	d := newFixture(t, attach.Options{Idle: 300 * time.Millisecond})
	user, key := d.admit(t, &fakeRunningDyno{})
	client, err := d.dial(t, user, key)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := client.Dial("tcp", "0.0.0.0:"+echoing(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("somebody spoke")
	}
	for { // it is renewed once more when the tunnel has ended
		again, err := d.dial(t, user, key)
		if err != nil {
			break
		}
		_ = again.Close()
	}
}
