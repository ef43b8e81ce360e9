package attach

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"renga"
)

// Over SSH a client gets into a running dyno. It has logged in to the API before and
// sent it a key that it made for this: user name and key are its ticket. The host's
// key is new at every start, and the API gives it out together with the ticket.
//
// A ticket is good for one session: a command, or files. Tunnels do not use it up:
// it is good for more of them, over new connections, until there was none for
// [Options.Idle].

// RunningDyno is a running dyno that clients get into.
type RunningDyno interface {
	// Command prepares a command: a line for the dyno's shell. An empty line is an
	// interactive shell.
	Command(ctx context.Context, line string, terminal *renga.Window) (Session, error)
	// Files gives access to the dyno's files.
	Files(ctx context.Context) (Files, error)
	// Dial connects to a port from the dyno's network.
	Dial(ctx context.Context, host string, port uint16) (net.Conn, error)
}

// SSHAccess is a running dyno that a client may get into.
type SSHAccess struct {
	RunningDyno
	App, Dyno string // names, for the log
	// Still is checked at each connection of the client, and as long as it stays.
	Still StillAllowed
}

// ticket is an access that waits for its client.
type ticket struct {
	SSHAccess
	key   ssh.PublicKey
	until time.Time
}

// tickets are all tickets, and the host's key.
type tickets struct {
	host ssh.Signer
	mu   sync.Mutex
	all  map[string]ticket // by user name
}

func newTickets() *tickets {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // it never fails
	}
	host, err := ssh.NewSignerFromKey(private)
	if err != nil {
		panic(err) // nor with such a key
	}
	return &tickets{host: host, all: map[string]ticket{}}
}

// HostKey is the SSH server's public key, as in a known_hosts file.
func (d *Server) HostKey() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(d.tickets.host.PublicKey())))
}

// Admit lets the client that has the key into a dyno, as that user.
func (d *Server) Admit(key string, v SSHAccess) (user string, err error) {
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(key))
	if err != nil {
		return "", renga.Errorf(renga.Invalid, "The client's key is no public key of SSH.")
	}
	b := make([]byte, secretBytes)
	rand.Read(b) // never fails
	user = hex.EncodeToString(b)
	d.tickets.add(user, ticket{v, public, time.Now().Add(d.Idle)})
	return user, nil
}

// add keeps a ticket, and drops those that have become too old.
func (t *tickets) add(user string, one ticket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.all, func(_ string, other ticket) bool { return time.Now().After(other.until) })
	t.all[user] = one
}

// checkKey accepts the key of a user's ticket.
func (t *tickets) checkKey(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one, ok := t.all[c.User()]
	if !ok || time.Now().After(one.until) || !bytes.Equal(one.key.Marshal(), key.Marshal()) {
		return nil, errors.New("no ticket for this user and key")
	}
	return nil, nil
}

// find gives a ticket's access.
func (t *tickets) find(user string) (SSHAccess, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one, ok := t.all[user]
	return one.SSHAccess, ok
}

// take uses a ticket up; false when it was already.
func (t *tickets) take(user string) (ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok = t.all[user]
	delete(t.all, user)
	return ok
}

// renew keeps a ticket for so long from now.
func (t *tickets) renew(user string, lasts time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one, ok := t.all[user]; ok {
		one.until = time.Now().Add(lasts)
		t.all[user] = one
	}
}

// handshakeTime is how long a client may take to show its key.
const handshakeTime = 30 * time.Second

// SSH serves one client over SSH.
func (d *Server) SSH(c net.Conn) { d.serveSSH(c, d.checkClient) }

// checkKey accepts a client by its user name and key.
type checkKey func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error)

// serveSSH serves a client whom check accepts.
func (d *Server) serveSSH(c net.Conn, check checkKey) {
	config := &ssh.ServerConfig{PublicKeyCallback: check}
	config.AddHostKey(d.tickets.host)
	if err := c.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return // the client is gone
	}
	server, channels, requests, err := ssh.NewServerConn(c, config)
	if err != nil {
		d.Log.Debug("client of SSH refused", "err", err)
		return
	}
	defer func() { _ = server.Close() }() // the client may have
	ctx, disconnect := d.connected()
	defer disconnect(gone{})
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := c.SetDeadline(time.Time{}); err != nil {
		return
	}
	go ssh.DiscardRequests(requests) // ends with the connection
	if server.Permissions != nil {
		d.serveTunnels(ctx, server, server.Permissions.Extensions[serviceExtension], channels)
		return
	}
	d.serveDyno(ctx, server, channels)
}

// serveDyno serves a client of a dyno.
func (d *Server) serveDyno(ctx context.Context, server *ssh.ServerConn, channels <-chan ssh.NewChannel) {
	v, ok := d.tickets.find(server.User())
	if !ok {
		return
	}
	if err := v.Still.check(ctx); err != nil {
		d.tickets.take(server.User())
		d.Log.Info("client refused by a dyno's SSH", "app", v.App, "dyno", v.Dyno, "reason", err)
		return
	}
	go d.watchPermission(ctx, v.Still, func(why error) { // ends with the connection
		d.tickets.take(server.User())
		d.Log.Info("client of a dyno's SSH disconnected", "app", v.App, "dyno", v.Dyno, "reason", why)
		_ = server.Close() // the client may have
	})
	d.serveChannels(ctx, v, server.User(), channels)
}

// serveChannels serves the channels that a client opens, until it is gone.
func (d *Server) serveChannels(ctx context.Context, v SSHAccess, user string, channels <-chan ssh.NewChannel) {
	hadSession := false
	tunnels := make(chan struct{}, maxTunnels)
	for offered := range channels {
		switch kind := offered.ChannelType(); {
		case kind == "session" && (hadSession || d.tickets.take(user)):
			hadSession = true
			if channel, asked, err := offered.Accept(); err == nil {
				go d.command(ctx, v, channel, asked) // ends with the connection
			}
		case kind == "direct-tcpip" && len(tunnels) < maxTunnels:
			tunnels <- struct{}{}
			d.tickets.renew(user, d.Idle)
			go func() { // ends with the connection
				d.tunnel(ctx, v, offered)
				d.tickets.renew(user, d.Idle)
				<-tunnels
			}()
		default:
			_ = offered.Reject(ssh.Prohibited, "only a session and a few tunnels are served") // it may be gone
		}
	}
}

// command serves one channel: the requests before the client's command, and then
// the command.
func (d *Server) command(ctx context.Context, v SSHAccess, channel ssh.Channel, asked <-chan *ssh.Request) {
	c := &sshClient{Channel: channel, asked: asked, inputEnded: make(chan struct{})}
	for r := range asked {
		switch r.Type {
		case "shell", "exec":
			reply(r, true)
			d.serve(ctx, v, c, lineOf(r))
			return
		case "subsystem":
			d.serveSFTP(ctx, v, c, r)
			return
		case "pty-req":
			reply(r, c.takeTerminal(r.Payload))
		default:
			reply(r, false)
		}
	}
}

// serve runs a command for a client.
func (d *Server) serve(ctx context.Context, v SSHAccess, c *sshClient, line string) {
	defer func() { _ = c.Close() }() // the client may have
	session, err := v.Command(ctx, line, c.terminal)
	if err != nil {
		session = refusal{err}
	}
	d.relays.Add(1) // close, in relay, takes it back
	d.Log.Info("client of a dyno's SSH connected", "app", v.App, "dyno", v.Dyno)
	err = d.relay(ctx, AttachedDyno{
		Session:  session,
		App:      v.App,
		Dyno:     v.Dyno,
		Terminal: c.terminal != nil,
		Still:    v.Still,
	}, c, &c.idle)
	d.Log.Info("client of a dyno's SSH left", "app", v.App, "dyno", v.Dyno, "reason", err)
}

// refusal is a session that fails to begin.
type refusal struct{ why error }

func (r refusal) Begin(context.Context) (Stream, error) { return nil, r.why }
func (refusal) Close(context.Context, error) error      { return nil }

// lineOf is the command of an exec request; empty for a shell.
func lineOf(r *ssh.Request) string {
	var payload struct{ Command string }
	if r.Type != "exec" || ssh.Unmarshal(r.Payload, &payload) != nil {
		return ""
	}
	return payload.Command
}

func reply(r *ssh.Request, yes bool) {
	if r.WantReply {
		_ = r.Reply(yes, nil) // the client may be gone
	}
}

// sshClient is a client on a channel of SSH.
type sshClient struct {
	ssh.Channel
	asked      <-chan *ssh.Request
	inputEnded chan struct{} // closed when its input has ended
	terminal   *renga.Window
	idle       idleTimer
}

// takeTerminal reads the size of the terminal in a request for one.
func (c *sshClient) takeTerminal(payload []byte) bool {
	var p struct {
		Term                         string
		Columns, Rows, Width, Height uint32
		Modes                        string
	}
	if ssh.Unmarshal(payload, &p) != nil {
		return false
	}
	c.terminal = &renga.Window{Columns: uint16(p.Columns), Rows: uint16(p.Rows)}
	return true
}

// Read gives input.
func (c *sshClient) Read(p []byte) (int, error) {
	n, err := c.Channel.Read(p)
	c.idle.touch()
	return n, err
}

// Send sends output.
func (c *sshClient) Send(_ context.Context, p []byte) (int, error) { return c.Write(p) }

// Write sends output.
func (c *sshClient) Write(p []byte) (int, error) {
	c.idle.touch()
	return c.Channel.Write(p)
}

// exitTimeout is how long Heroku's CLI may take to send the end of its input after a
// command has ended: it crashes when it writes to a closed channel.
const exitTimeout = 250 * time.Millisecond

// End sends the exit code, and waits for the end of the client's input.
func (c *sshClient) End(_ context.Context, code int) error {
	_, err := c.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(code)}))
	select {
	case <-c.inputEnded:
	case <-time.After(exitTimeout):
	}
	return err
}

// Pass copies the client's input and its terminal's sizes to the dyno until the
// client is gone.
func (c *sshClient) Pass(ctx context.Context, to Stream) error {
	go func() { // ends with the channel
		defer close(c.inputEnded)
		_, _ = io.Copy(writer{to}, reader{c}) // a command that reads no more may still print
		_ = to.CloseWrite()
	}()
	for r := range c.asked {
		var size struct{ Columns, Rows, Width, Height uint32 }
		resized := r.Type == "window-change" && ssh.Unmarshal(r.Payload, &size) == nil
		if resized {
			_ = to.Resize(ctx, renga.Window{Columns: uint16(size.Columns), Rows: uint16(size.Rows)}) // it may have ended
		}
		reply(r, resized)
	}
	return nil
}
