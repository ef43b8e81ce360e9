package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"renga/e2e"
)

// oneOff is a one-off dyno as its maker sees it.
type oneOff struct {
	Name       string `json:"name"`
	State      string `json:"state"`
	Rendezvous string `json:"attach_url"`
	WebSocket  string `json:"websocket_url"`
}

// oneOff asks for a one-off dyno of hello's.
func (s *story) oneOff(order map[string]any) oneOff {
	s.Helper()
	var d oneOff
	s.must(json.Unmarshal(s.api(http.StatusCreated, http.MethodPost, "/apps/hello/dynos", order), &d))
	return d
}

// marked is a command as Heroku's CLI sends it to learn the exit code.
func marked(command string) string {
	return command + " ; echo \"\uFFFF heroku-command-exit-status: $?\""
}

// attach opens a dyno's rendezvous.
func (s *story) attach(d oneOff) *tls.Conn {
	s.Helper()
	conn, err := s.w.Rendezvous(s.Context(), d.Rendezvous)
	s.must(err)
	s.Cleanup(func() { _ = conn.Close() }) // closed before, or by the other side
	return conn
}

// said is all that comes until the end.
func (s *story) said(r io.Reader) string {
	s.Helper()
	out, err := io.ReadAll(r)
	s.must(err)
	return string(out)
}

// alone waits until only those dynos of hello's have containers, those that
// have ended included.
func (s *story) alone(n int) {
	s.Helper()
	s.poll(func() error {
		if left := s.ownedAll("ps", "--all"); len(left) != n {
			return fmt.Errorf("there are %d containers, want %d", len(left), n)
		}
		return nil
	})
}

// TestOneOffsOfAnImageWithoutAShell: commands are words then, and their exit
// codes come from the platform.
func TestOneOffsOfAnImageWithoutAShell(t *testing.T) {
	s := newStory(t)
	s.start()
	s.push("hello", "bare")
	s.up("hello", "bare")
	s.set("hello", map[string]any{"COLOUR": "red"})
	s.settled("hello", 3, "succeeded")
	s.runs("hello", "web.1 v3")
	for command, want := range map[string]string{
		"/app print COLOUR": "red\n\uFFFF heroku-command-exit-status: 0\r\n",
		"/app print DYNO":   "",
		"/app exit 7":       "ending with code 7\n\uFFFF heroku-command-exit-status: 7\r\n",
	} {
		d := s.oneOff(map[string]any{"attach": true, "command": marked(command), "env": map[string]any{"TERM": "dumb"}, "force_no_tty": true})
		conn := s.attach(d)
		_, err := io.WriteString(conn, "\x04")
		s.must(err)
		if want == "" {
			want = d.Name + "\n\uFFFF heroku-command-exit-status: 0\r\n"
		}
		if got := s.said(conn); got != want {
			t.Errorf("%s said %q, want %q", command, got, want)
		}
	}
	status, body := s.ask(http.MethodPost, "/apps/hello/dynos", map[string]any{"attach": true, "command": "bash"})
	if status != http.StatusUnprocessableEntity || !strings.Contains(string(body), "not in the image") {
		t.Errorf("a shell that is not there: %d %s", status, body)
	}
	s.alone(1)

	much := bytes.Repeat([]byte("0123456789abcde\n"), 256<<10)
	conn := s.attach(s.oneOff(map[string]any{"attach": true, "command": "/app cat"}))
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(append(bytes.Clone(much), 4))
		sent <- err
	}()
	if got := s.said(conn); got != string(much) {
		t.Errorf("of %d bytes %d came back", len(much), len(got))
	}
	s.must(<-sent)
	s.alone(1)
}

// pushShell pushes an image with the test app and this machine's shell.
func (s *story) pushShell(version string) {
	s.Helper()
	files, err := e2e.ShellFiles(s.Context())
	s.must(err)
	img, err := s.w.Image(e2e.Image{Version: version, Files: files})
	s.must(err)
	s.must(s.tryPush("hello", img, http.DefaultTransport))
}

func TestOneOffsWithATerminal(t *testing.T) {
	s := newStory(t)
	s.start()
	s.pushShell("shell")
	s.up("hello", "shell")
	env := map[string]any{"TERM": "xterm", "COLUMNS": 100, "LINES": 30}
	conn := s.attach(s.oneOff(map[string]any{"attach": true, "command": marked("read x; /app window; echo $TERM $x; exit 3"), "env": env}))
	_, err := io.WriteString(conn, "hi\r")
	s.must(err)
	got := s.said(conn)
	if !strings.Contains(got, "100 30\r\nxterm hi\r\n") || !strings.HasSuffix(got, "\uFFFF heroku-command-exit-status: 3\r\n") {
		t.Errorf("it said %q", got)
	}

	trapping := marked("trap 'echo caught; exit 4' INT; echo set; while :; do /app print TERM; done")
	conn = s.attach(s.oneOff(map[string]any{"attach": true, "command": trapping, "env": env}))
	out := bufio.NewReader(conn)
	for line := ""; !strings.HasPrefix(line, "xterm"); {
		line, err = out.ReadString('\n')
		s.must(err)
	}
	_, err = io.WriteString(conn, "\x03")
	s.must(err)
	if got := s.said(out); !strings.Contains(got, "caught") || !strings.HasSuffix(got, "status: 4\r\n") {
		t.Errorf("on Ctrl-C it said %q", got[max(0, len(got)-200):])
	}
	s.alone(1)
}

// TestOneOffsEndWithTheirClients: whoever was killed, client or Renga.
func TestOneOffsEndWithTheirClients(t *testing.T) {
	s := newStory(t)
	s.start()
	s.push("hello", "ends")
	s.up("hello", "ends")
	attached := map[string]any{"attach": true, "command": "/app silent"}
	first := s.oneOff(attached)
	conn := s.attach(first)
	s.runs("hello", first.Name+" v2", "web.1 v2")
	s.must(conn.NetConn().Close())
	s.alone(1)

	second, detached := s.oneOff(attached), s.oneOff(map[string]any{"command": "/app silent"})
	s.attach(second)
	names := []string{second.Name + " v2", detached.Name + " v2"}
	slices.Sort(names)
	s.runs("hello", append(names, "web.1 v2")...)
	s.oneOff(attached) // nobody comes
	s.must(s.w.Kill())
	s.must(s.w.Start(t.Context(), quickly()...))
	s.runs("hello", detached.Name+" v2", "web.1 v2")
	s.alone(2)
	s.poll(func() error { // Renga was started anew, and looks first
		body := s.api(http.StatusOK, http.MethodGet, "/apps/hello/dynos", nil)
		if !strings.Contains(string(body), `"name":"`+detached.Name+`"`) {
			return fmt.Errorf("the detached one is not listed: %s", body)
		}
		return nil
	})
	s.api(http.StatusAccepted, http.MethodPost, "/apps/hello/dynos/"+detached.Name+"/actions/stop", nil)
	s.alone(1)
	s.serves("hello", "ends")
}

func TestOneOffsOverWebSocket(t *testing.T) {
	s := newStory(t)
	s.start()
	s.push("hello", "socket")
	s.up("hello", "socket")
	d := s.oneOff(map[string]any{"attach": true, "command": "/app cat"})
	u, err := url.Parse(d.WebSocket)
	s.must(err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, strings.Replace(s.w.URL(""), "http", "ws", 1)+u.Path, nil)
	s.must(err)
	defer func() { _ = conn.CloseNow() }() // closed by the other side
	s.must(conn.Write(ctx, websocket.MessageBinary, []byte("hello\n")))
	s.must(conn.Write(ctx, websocket.MessageText, []byte(`{"eof":true}`)))
	var out, said strings.Builder
	for {
		kind, message, err := conn.Read(ctx)
		if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
			break
		}
		s.must(err)
		if kind == websocket.MessageBinary {
			out.Write(message)
		} else {
			said.Write(message)
		}
	}
	if out.String() != "hello\n" || said.String() != `{"exit":0}` {
		t.Errorf("it said %q and %q", &out, &said)
	}
	s.alone(1)
}
