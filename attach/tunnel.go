package attach

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/crypto/ssh"

	"renga"
)

// Through a tunnel a client connects to a port that it names, from the dyno's
// network. Heroku's CLI makes a connection of its own for each.

// maxTunnels bounds the tunnels of one connection.
const maxTunnels = 100

// tunnel serves a client that asks for a tunnel.
func (d *Server) tunnel(ctx context.Context, v SSHAccess, offered ssh.NewChannel) {
	d.relays.Add(1)
	defer d.relays.Done()
	host, port, ok := destination(offered)
	if !ok {
		_ = offered.Reject(ssh.ConnectionFailed, "no such port") // it may be gone
		return
	}
	conn, err := v.Dial(ctx, host, port)
	if err != nil {
		d.Log.Info("tunnel into a dyno refused", "app", v.App, "dyno", v.Dyno, "host", host, "port", port, "err", err)
		_ = offered.Reject(ssh.ConnectionFailed, renga.MessageOf(err, "the reason is in Renga's log")) // as above
		return
	}
	defer func() { _ = conn.Close() }() // it was read and written to the end
	channel, asked, err := offered.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(asked) // ends with the channel
	d.Log.Info("tunnel into a dyno", "app", v.App, "dyno", v.Dyno, "host", host, "port", port)
	d.relayTunnel(ctx, channel, conn)
}

// relayTunnel copies both ways until both sides have ended, one has failed, or both
// have been silent for too long.
func (d *Server) relayTunnel(ctx context.Context, client halfCloser, far net.Conn) {
	end := func() {
		_ = client.Close() // one that has ended is closed already
		_ = far.Close()    // likewise
	}
	defer end()
	stop := context.AfterFunc(ctx, end)
	defer stop()
	var timer idleTimer
	idle := timer.start(d.Idle, end)
	defer idle()
	back := make(chan error, 1)
	go func() { back <- copyOneWay(client, far, &timer) }() // waited for below
	if err := copyOneWay(far, client, &timer); err != nil {
		end()
	}
	if err := <-back; err != nil {
		end()
	}
}

// copyOneWay copies to the end of from.
func copyOneWay(to io.Writer, from io.Reader, timer *idleTimer) error {
	_, err := io.CopyBuffer(writer{to}, touchingReader{from, timer}, make([]byte, 32<<10))
	half, ok := to.(interface{ CloseWrite() error })
	if !ok {
		return errors.Join(err, fmt.Errorf("%T cannot end one way", to))
	}
	return errors.Join(err, half.CloseWrite())
}

// touchingReader touches a timer at each read.
type touchingReader struct {
	io.Reader
	timer *idleTimer
}

// Read gives what there is.
func (h touchingReader) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	h.timer.touch()
	return n, err
}
