package attach

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"renga"
)

// A WebSocket is one connection to a service. Binary messages are its bytes. The
// text message {"eof":true} says that its sender sends no more.

// serveService serves a client of a service over WebSocket.
func (d *Server) serveService(w http.ResponseWriter, r *http.Request, secret string) {
	s, leave, err := d.enter(bySecret(secret))
	if err != nil {
		refuse(w, err)
		return
	}
	defer leave()
	ctx, disconnect := d.connected()
	defer disconnect(nil)
	if err := s.Still.check(ctx); err != nil {
		refuse(w, err)
		return
	}
	service, err := s.Dial(ctx)
	if err != nil {
		d.Log.Info("an add-on is not reached", "app", s.App, "addon", s.AddOn, "err", err)
		refuse(w, err)
		return
	}
	defer func() { _ = service.Close() }() // it was read and written to the end
	// The secret in the URL is enough, so a page of any origin may connect.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // it has been answered
	}
	conn.SetReadLimit(maxMessage)
	d.Log.Info("client of an add-on connected by WebSocket", "app", s.App, "addon", s.AddOn)
	go d.watchPermission(ctx, s.Still, disconnect) // ends with the connection
	d.relayTunnel(ctx, socketUntil(ctx, conn), service)
}

// refuse answers a client that does not get to a service.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusServiceUnavailable
	switch {
	case renga.KindOf(err) == renga.TooMany:
		status = http.StatusTooManyRequests
	case refuses(err):
		status = http.StatusNotFound // open it anew, or be told why not
	}
	http.Error(w, renga.MessageOf(err, "The reason is in Renga's log."), status)
}

// Socket is a client's connection to a service.
type Socket interface {
	io.ReadWriteCloser
	// CloseWrite says that no more is sent.
	CloseWrite() error
}

// DialService connects to a service, at the URL of a WebSocket. A service that is
// not to be had under it any more is renga.NotFound. The connection ends with ctx.
func DialService(ctx context.Context, client *http.Client, url string) (Socket, error) {
	conn, answer, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client}) //nolint:bodyclose // Dial does
	if err != nil {
		return nil, refused(answer, err)
	}
	conn.SetReadLimit(maxMessage)
	return socketUntil(ctx, conn), nil
}

// refused is the error of a client that was refused.
func refused(answer *http.Response, err error) error {
	if answer == nil || answer.Body == nil {
		return err
	}
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10)) // what there is of it
	if answer.StatusCode == http.StatusNotFound {
		return renga.Errorf(renga.NotFound, "%s", strings.TrimSpace(string(said)))
	}
	return fmt.Errorf("%s: %s", answer.Status, strings.TrimSpace(string(said)))
}

// socket is a WebSocket as a connection.
type socket struct {
	conn *websocket.Conn
	stop func() bool // watching for the end of its context
	rest io.Reader   // of the message that is being read
}

// socketUntil makes a WebSocket a connection that ends with ctx.
func socketUntil(ctx context.Context, conn *websocket.Conn) *socket {
	stop := context.AfterFunc(ctx, func() { _ = conn.CloseNow() }) // it may be closed
	return &socket{conn: conn, stop: stop}
}

// Read gives what the other side sends.
func (s *socket) Read(p []byte) (int, error) {
	for {
		if s.rest != nil {
			n, err := s.rest.Read(p)
			if err == io.EOF {
				s.rest, err = nil, nil
			}
			if n > 0 || err != nil {
				return n, err
			}
			continue
		}
		kind, message, err := s.conn.Reader(context.Background())
		if err != nil {
			return 0, err
		}
		if kind == websocket.MessageBinary {
			s.rest = message
			continue
		}
		var said control
		if err := json.NewDecoder(message).Decode(&said); err != nil {
			return 0, err
		}
		if said.EOF {
			return 0, io.EOF
		}
	}
}

// Write sends.
func (s *socket) Write(p []byte) (int, error) {
	if err := s.conn.Write(context.Background(), websocket.MessageBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// CloseWrite says that no more is sent.
func (s *socket) CloseWrite() error {
	return s.conn.Write(context.Background(), websocket.MessageText, []byte(`{"eof":true}`))
}

// Close ends both ways at once.
func (s *socket) Close() error {
	s.stop()
	return s.conn.CloseNow()
}
