package attach

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path"

	"github.com/coder/websocket"

	"renga"
)

// Over WebSocket, binary messages are the dyno's input and output. Text messages
// are JSON: the client sends {"resize":{"columns":80,"rows":24}} and, to end the
// input, {"eof":true}; the server sends {"exit":3} at the end, and closes.

// maxMessage bounds one message of the client's.
const maxMessage = 1 << 20

// control is a text message of the client's.
type control struct {
	Resize *struct {
		Columns uint16 `json:"columns"`
		Rows    uint16 `json:"rows"`
	} `json:"resize"`
	EOF bool `json:"eof"`
}

// exitMessage is a text message of the server's.
type exitMessage struct {
	Exit int `json:"exit"`
}

// ServeHTTP serves one client over WebSocket. The path ends with its secret.
func (d *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secret := path.Base(r.URL.Path)
	if d.services.knows(bySecret(secret)) {
		d.serveService(w, r, secret)
		return
	}
	if !d.awaits(secret) {
		http.Error(w, "No dyno waits here; run it anew.", http.StatusNotFound)
		return
	}
	// The secret in the URL is enough, so a page of any origin may connect.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // it has been answered
	}
	defer func() { _ = conn.CloseNow() }() // mostly closed before
	conn.SetReadLimit(maxMessage)
	a, ok := d.claim(secret)
	if !ok {
		_ = conn.Close(websocket.StatusPolicyViolation, "somebody else came first")
		return
	}
	ctx, disconnect := d.connected()
	defer disconnect(nil)
	c := &webSocketClient{conn: conn}
	err = d.relay(ctx, a, c, &c.idle)
	d.Log.Info("attached dyno ended", "app", a.App, "dyno", a.Dyno, "reason", err)
}

// webSocketClient is a client on a WebSocket.
type webSocketClient struct {
	conn *websocket.Conn
	idle idleTimer
}

// Send sends output.
func (c *webSocketClient) Send(ctx context.Context, p []byte) (int, error) {
	c.idle.touch()
	if err := c.conn.Write(ctx, websocket.MessageBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// End sends the exit code and closes.
func (c *webSocketClient) End(ctx context.Context, code int) error {
	text, err := json.Marshal(exitMessage{Exit: code})
	if err != nil {
		return err
	}
	if err := c.conn.Write(ctx, websocket.MessageText, text); err != nil {
		return err
	}
	return c.conn.Close(websocket.StatusNormalClosure, "")
}

// Pass copies the client's input to the dyno until the client is gone.
func (c *webSocketClient) Pass(ctx context.Context, to Stream) error {
	for {
		kind, message, err := c.conn.Read(ctx)
		if err != nil {
			return err
		}
		c.idle.touch()
		if kind == websocket.MessageBinary {
			_, _ = to.Write(message) // a dyno that reads no more may still print
			continue
		}
		if err := c.control(ctx, message, to); err != nil {
			return errors.Join(err, c.conn.Close(websocket.StatusInvalidFramePayloadData,
				"a text message must be JSON: resize or eof"))
		}
	}
}

// control does what a text message asks for.
func (c *webSocketClient) control(ctx context.Context, message []byte, to Stream) error {
	var asked control
	if err := json.Unmarshal(message, &asked); err != nil {
		return err
	}
	if size := asked.Resize; size != nil {
		_ = to.Resize(ctx, renga.Window{Columns: size.Columns, Rows: size.Rows}) // it may have ended
	}
	if asked.EOF {
		_ = to.CloseWrite() // likewise
	}
	return nil
}
