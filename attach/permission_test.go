package attach_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"renga"
	"renga/attach"
)

// fakePermission is what a client has until it is taken.
type fakePermission struct {
	why   atomic.Pointer[error]
	asked atomic.Int64 // how often there was another answer than yes
}

func (r *fakePermission) take(why error) { r.why.Store(&why) }

func (r *fakePermission) still(context.Context) error {
	if why := r.why.Load(); why != nil {
		r.asked.Add(1)
		return *why
	}
	return nil
}

// waitAsked waits until it was asked so often in vain.
func (r *fakePermission) waitAsked(t *testing.T, n int64) {
	t.Helper()
	for late := time.After(20 * time.Second); r.asked.Load() < n; {
		select {
		case <-late:
			t.Fatalf("it was asked %d times in 20 seconds, want %d", r.asked.Load(), n)
		case <-time.After(time.Millisecond):
		}
	}
}

var errTaken = renga.Errorf(renga.Forbidden, "You do not have access to the app hello.")

// often is how often servers of these tests look.
var often = attach.Options{CheckEvery: time.Millisecond}

func TestARelayEndsWithThePermission(t *testing.T) {
	for over, speak := range map[string]func(t *testing.T, server *fixture, secret string) (end func() error){
		"rendezvous": func(t *testing.T, server *fixture, secret string) func() error {
			conn := server.call(t, secret)
			read(t, conn, "ready\n")
			return func() error { return last(conn) }
		},
		"WebSocket": func(t *testing.T, server *fixture, secret string) func() error {
			conn, _, err := websocket.Dial(t.Context(), server.web+"/attach/"+secret,
				&websocket.DialOptions{HTTPClient: server.http})
			if err != nil {
				t.Fatal(err)
			}
			stream := websocket.NetConn(t.Context(), conn, websocket.MessageBinary)
			read(t, stream, "ready\n")
			return func() error { return last(stream) }
		},
	} {
		t.Run(over, func(t *testing.T) {
			server, d, r := newFixture(t, often), newDyno(), &fakePermission{}
			end := speak(t, server, server.Offer(attach.AttachedDyno{Session: d, Still: r.still}))
			r.take(errors.New("Redis is away")) // which takes no permission
			for r.asked.Load() < 3 {
				select {
				case <-d.closed:
					t.Fatal("a relay ended because nobody could be asked")
				case <-time.After(time.Millisecond):
				}
			}
			r.take(errTaken)
			d.left(t)
			if err := end(); err == nil || !errors.Is(d.why, attach.ErrForbidden) {
				t.Errorf("the client read on until %v, the dyno ended for %v", err, d.why)
			}
		})
	}
}

// last reads to the end, and gives what it ended with.
func last(r io.Reader) error {
	for piece := make([]byte, 100); ; {
		if _, err := r.Read(piece); err != nil {
			return err
		}
	}
}

func read(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v", got, err)
	}
}

func TestASecretEndsWithThePermission(t *testing.T) {
	server, d, r := newFixture(t, often), newDyno(), &fakePermission{}
	secret := server.Offer(attach.AttachedDyno{Session: d, Still: r.still})
	r.take(errTaken)
	conn := server.call(t, secret)
	if got := all(t, conn); got != "You do not have access to the app hello.\r\n" {
		t.Errorf("the client is told %q", got)
	}
	d.left(t)
}

func TestASessionOverSSHEndsWithThePermission(t *testing.T) {
	d, one, r := newFixture(t, often), newDyno(), &fakePermission{}
	key, public := keyPair(t)
	user, err := d.Admit(public, attach.SSHAccess{
		App: "hello", Dyno: "web.1", RunningDyno: &fakeRunningDyno{session: one}, Still: r.still,
	})
	if err != nil {
		t.Fatal(err)
	}
	client, session := d.open(t, user, key)
	out, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Shell(); err != nil {
		t.Fatal(err)
	}
	read(t, out, "ready\n")
	r.take(errTaken)
	one.left(t)
	if err := client.Wait(); err == nil {
		t.Error("the connection ended as if the client had wanted it")
	}
	if _, err := d.dial(t, user, key); err == nil {
		t.Error("the ticket is good still")
	}
}

// TestATunnelEndsWithThePermission: connections without a session are looked at too.
func TestATunnelEndsWithThePermission(t *testing.T) {
	d, r := newFixture(t, often), &fakePermission{}
	key, public := keyPair(t)
	user, err := d.Admit(public, attach.SSHAccess{
		App: "hello", Dyno: "web.1", RunningDyno: &fakeRunningDyno{}, Still: r.still,
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := d.dial(t, user, key)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- client.Wait() }()
	r.take(errTaken)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the connection ended as if the client had wanted it")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the connection is open still")
	}
}
