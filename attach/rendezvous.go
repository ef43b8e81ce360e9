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
	// markFormat is how the exit code is told within the output.
	markFormat = "\uFFFF heroku-command-exit-status: %d\r\n"
)

// Rendezvous serves one client. It returns when the talk is over; the
// connection is the caller's to close.
func (d *Server) Rendezvous(conn net.Conn) {
	c := &rendezvousClient{conn: conn, in: bufio.NewReaderSize(conn, 32<<10), over: make(chan struct{})}
	a, err := d.readSecret(c)
	if err != nil {
		d.Log.Info("rendezvous refused", "from", conn.RemoteAddr(), "reason", err)
		return
	}
	c.dyno = a
	err = d.relay(a, c, &c.idle)
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
		return AttachedDyno{}, fmt.Errorf("greet: %w", err)
	}
	return a, nil
}

// rendezvousClient is a client on a bare connection.
type rendezvousClient struct {
	conn  net.Conn
	in    *bufio.Reader
	dyno  AttachedDyno
	idle  idleTimer
	began bool          // the dyno got input
	over  chan struct{} // closed when the client has ended its input
}

// Write sends output.
func (c *rendezvousClient) Write(p []byte) (int, error) {
	c.idle.touch()
	return c.conn.Write(p)
}

// End tells the exit code, if the client wants it, in one write: the client
// looks for it in each piece by itself. Then it waits a little for the client's
// end of input, and hangs up: the client need not wait until all is removed.
func (c *rendezvousClient) End(code int) error {
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

// Pass hands on the client's input until it is gone.
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

// pass hands on one piece of input, and tells whether it was the last. A dyno
// that reads no more is no reason to end: its output is awaited.
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
	if c.began && c.more() { // alone and first, it ends an empty input
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

// more tells whether the client sends more within a moment.
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

// listen waits until the client is gone. What it still says is dropped.
func (c *rendezvousClient) listen() error {
	_, err := io.Copy(io.Discard, c.in)
	return err
}
