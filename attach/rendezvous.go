package attach

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// The rendezvous protocol, as Heroku's CLI speaks it. The client sends its
// secret and CRLF; the answer is "rendezvous" and CRLF, in a write of its own,
// for the client drops the first piece that it gets, whatever is in it. Then
// both send raw bytes until one closes.
//
// A client without a terminal ends its input with one byte 0x04, and goes on
// reading. It sends it even when its input is empty, and does not survive that
// the other side has closed by then.

const (
	// secretTimeout is how long a client may take to send its secret.
	secretTimeout = 10 * time.Second
	// endOfInput is what ends the input of a client without a terminal.
	endOfInput = 0x04
	// endPause tells a last byte 0x04 that ends the input from one within it:
	// nothing follows for so long. The input may be binary.
	endPause = 250 * time.Millisecond
	// closeTimeout is how long the connection stays open for the client's 0x04.
	closeTimeout = 250 * time.Millisecond
	// markFormat is the exit code within the output.
	markFormat = "\uFFFF heroku-command-exit-status: %d\r\n"
)

// Rendezvous serves one client. The caller closes the connection when it returns.
func (d *Server) Rendezvous(conn net.Conn) {
	c := &rendezvousClient{conn: conn, in: bufio.NewReaderSize(conn, 32<<10), over: make(chan struct{})}
	a, err := d.readSecret(c)
	if err != nil {
		d.Log.Info("rendezvous refused", "from", conn.RemoteAddr(), "reason", err)
		return
	}
	c.dyno = a
	ctx, disconnect := d.connected()
	defer disconnect(nil)
	err = d.relay(ctx, a, c, &c.idle)
	d.Log.Info("attached dyno ended", "app", a.App, "dyno", a.Dyno, "reason", err)
}

var errUnknownSecret = errors.New("no dyno waits for that secret")

// readSecret reads the client's secret and finds its dyno.
func (d *Server) readSecret(c *rendezvousClient) (AttachedDyno, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(secretTimeout)); err != nil {
		return AttachedDyno{}, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return AttachedDyno{}, fmt.Errorf("read the secret: %w", err)
	}
	if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
		return AttachedDyno{}, err
	}
	a, ok := d.claim(strings.TrimRight(string(line), "\r\n"))
	if !ok {
		return AttachedDyno{}, errUnknownSecret
	}
	if _, err := io.WriteString(c.conn, "rendezvous\r\n"); err != nil {
		d.close(context.Background(), a, err)
		return AttachedDyno{}, fmt.Errorf("answer the secret: %w", err)
	}
	return a, nil
}

// rendezvousClient is a client of the rendezvous protocol.
type rendezvousClient struct {
	conn  net.Conn
	in    *bufio.Reader
	dyno  AttachedDyno
	idle  idleTimer
	began bool          // the dyno got input
	over  chan struct{} // closed when the client has ended its input
}

// Send sends output.
func (c *rendezvousClient) Send(_ context.Context, p []byte) (int, error) {
	c.idle.touch()
	return c.conn.Write(p)
}

// End sends the exit code, if the client wants it, in one write, for the client
// looks for it in each read by itself. Then it waits a little for the client's end
// of input, and closes: the client need not wait until the dyno is removed.
func (c *rendezvousClient) End(_ context.Context, code int) error {
	if c.dyno.Marked {
		if _, err := fmt.Fprintf(c.conn, markFormat, code); err != nil {
			return err
		}
	}
	if !c.dyno.Terminal {
		select {
		case <-c.over:
		case <-time.After(closeTimeout):
		}
	}
	return c.conn.Close()
}

// Pass copies the client's input to the dyno until the client is gone.
func (c *rendezvousClient) Pass(_ context.Context, to Stream) error {
	piece := make([]byte, 32<<10)
	for {
		n, err := c.in.Read(piece)
		c.idle.touch()
		if n > 0 {
			ended, passErr := c.pass(piece[:n], to)
			if ended {
				return c.listen()
			}
			err = errors.Join(err, passErr)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// pass copies one piece of input to the dyno, and tells whether it was the last. A
// dyno that reads no more is no reason to end, for it may still print.
func (c *rendezvousClient) pass(piece []byte, to Stream) (ended bool, err error) {
	if c.dyno.Terminal {
		_, err := to.Write(piece)
		return false, err
	}
	body, marked := bytes.CutSuffix(piece, []byte{endOfInput})
	if len(body) > 0 {
		c.began = true
		if _, err := to.Write(body); err != nil {
			return c.end(to), nil
		}
	}
	if !marked {
		return false, nil
	}
	if c.began && c.more() { // a first byte 0x04 ends an empty input
		_, err := to.Write([]byte{endOfInput})
		return false, err
	}
	return c.end(to), nil
}

// end ends the dyno's input.
func (c *rendezvousClient) end(to Stream) bool {
	_ = to.CloseWrite() // a dyno that has ended has no input to end
	close(c.over)
	return true
}

// more tells whether the client sends more within endPause.
func (c *rendezvousClient) more() bool {
	if c.in.Buffered() > 0 {
		return true
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(endPause)) // a dead connection is found by the next read
	_, err := c.in.Peek(1)
	_ = c.conn.SetReadDeadline(time.Time{})
	var timeout net.Error
	return err == nil || !errors.As(err, &timeout) || !timeout.Timeout()
}

// listen waits until the client is gone, and drops what it still sends.
func (c *rendezvousClient) listen() error {
	_, err := io.Copy(io.Discard, c.in)
	return err
}
