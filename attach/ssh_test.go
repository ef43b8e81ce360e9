package attach_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"testing"
	"testing/fstest"

	"golang.org/x/crypto/ssh"

	"renga"
	"renga/attach"
)

// keyPair is a client's key, and its public half as the API gets it.
func keyPair(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer, string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
}

// fakeRunningDyno is a dyno with one session, a few files and nothing else.
type fakeRunningDyno struct {
	session attach.Session
	files   fstest.MapFS
	said    chan string // lines that were run, and their windows
	shut    error       // why nobody may come any more
}

func (p *fakeRunningDyno) Command(_ context.Context, line string, w *renga.Window) (attach.Session, error) {
	if p.said != nil {
		p.said <- fmt.Sprint(line, " in ", w)
	}
	return p.session, nil
}

func (p *fakeRunningDyno) Files(context.Context) (attach.Files, error) { return p, nil }
func (p *fakeRunningDyno) Home() string                                { return "/app" }

func (p *fakeRunningDyno) Dial(ctx context.Context, host string, port uint16) (net.Conn, error) {
	if host != "0.0.0.0" {
		return nil, renga.Errorf(renga.Unavailable, "connection refused.")
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
}

func (p *fakeRunningDyno) Open(_ context.Context, path string) (fs.File, error) {
	f, err := p.files.Open(path[1:])
	if errors.Is(err, fs.ErrNotExist) {
		err = renga.Errorf(renga.NotFound, "There is no such file.")
	}
	return f, err
}

// admit makes a ticket for a place, with its key.
func (d *fixture) admit(t *testing.T, p *fakeRunningDyno) (user string, key ssh.Signer) {
	t.Helper()
	key, public := keyPair(t)
	user, err := d.Admit(public, attach.SSHAccess{
		App: "hello", Dyno: "web.1", RunningDyno: p, Still: func(context.Context) error { return p.shut },
	})
	if err != nil {
		t.Fatal(err)
	}
	return user, key
}

// dial connects as a user with a key.
func (d *fixture) dial(t *testing.T, user string, key ssh.Signer) (*ssh.Client, error) {
	t.Helper()
	return d.dialAt(t, d.SSH, user, key)
}

// dialAt is dial to a door of the server's.
func (d *fixture) dialAt(t *testing.T, serve func(net.Conn), user string, key ssh.Signer) (*ssh.Client, error) {
	t.Helper()
	host, _, _, _, err := ssh.ParseAuthorizedKey([]byte(d.HostKey()))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // it served one
	go func() {                      // ends with the connection
		if theirs, err := l.Accept(); err == nil {
			serve(theirs)
			_ = theirs.Close() // the client may have
		}
	}()
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, channels, requests, err := ssh.NewClientConn(ours, "dyno", &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(host),
	})
	if err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	client := ssh.NewClient(conn, channels, requests)
	t.Cleanup(func() { _ = client.Close() }) // it may be closed
	return client, nil
}

// open is dial for a client that is accepted, with a session.
func (d *fixture) open(t *testing.T, user string, key ssh.Signer) (*ssh.Client, *ssh.Session) {
	t.Helper()
	client, err := d.dial(t, user, key)
	if err != nil {
		t.Fatal(err)
	}
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	return client, session
}

func TestAClientOverSSHRunsACommand(t *testing.T) {
	d, one := newFixture(t, attach.Options{}), newDyno()
	running := &fakeRunningDyno{session: one, said: make(chan string, 1)}
	user, key := d.admit(t, running)
	_, session := d.open(t, user, key)
	var out bytes.Buffer
	session.Stdout = &out
	in, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(session.RequestPty("xterm", 24, 80, nil), session.Start("rake db:seed"),
		session.WindowChange(30, 100)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, "hello\n"); err != nil {
		t.Fatal(err)
	}
	<-one.resized
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	var exit *ssh.ExitError
	if err := session.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 5 {
		t.Errorf("it ended with %v, want status 5", err)
	}
	if ran := <-running.said; out.String() != "ready\nhello\n" || ran != "rake db:seed in &{80 24}" {
		t.Errorf("it ran %q and printed %q", ran, out.String())
	}
	one.left(t)
	one.mu.Lock()
	defer one.mu.Unlock()
	if !slices.Equal(one.windows, []renga.Window{{Columns: 100, Rows: 30}}) {
		t.Errorf("windows %+v", one.windows)
	}
}

func TestAClientOverSSHThatGoesLeavesNothing(t *testing.T) {
	d, one := newFixture(t, attach.Options{}), newDyno()
	user, key := d.admit(t, &fakeRunningDyno{session: one})
	client, session := d.open(t, user, key)
	if err := errors.Join(session.Shell(), client.Close()); err != nil {
		t.Fatal(err)
	}
	one.left(t)
}

func TestOnlyTheTicketsKeyIsAcceptedAndOnlyForOneSession(t *testing.T) {
	d := newFixture(t, attach.Options{})
	running := &fakeRunningDyno{}
	user, key := d.admit(t, running)
	other, _ := keyPair(t)
	for name, try := range map[string]struct {
		user string
		key  ssh.Signer
	}{"another key": {user, other}, "another user": {"root", key}} {
		if _, err := d.dial(t, try.user, try.key); err == nil {
			t.Errorf("%s came in", name)
		}
	}
	d.open(t, user, key)
	if _, err := d.dial(t, user, key); err == nil {
		t.Error("it came in a second time")
	}
	if _, err := d.Admit("no key", attach.SSHAccess{}); renga.KindOf(err) != renga.Invalid {
		t.Errorf("no key: %v", err)
	}
}

func TestAClientThatHasLostItsPermissionIsRefused(t *testing.T) {
	d := newFixture(t, attach.Options{})
	running := &fakeRunningDyno{shut: renga.Errorf(renga.Forbidden, "The app is not yours any more.")}
	user, key := d.admit(t, running)
	client, err := d.dial(t, user, key)
	if err != nil {
		t.Fatal(err)
	}
	if session, err := client.NewSession(); err == nil {
		t.Errorf("there is a session %v", session)
	}
	if _, err := d.dial(t, user, key); err == nil {
		t.Error("the ticket is good still")
	}
}
