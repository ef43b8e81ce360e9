package e2e_test

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"renga/e2e"
)

// enter comes into an app's web.1 over SSH, as Heroku's CLI does. The connection
// is the client's, to be broken.
func (s *story) enter(app string) (*ssh.Client, net.Conn) {
	s.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	s.must(err)
	key, err := ssh.NewSignerFromKey(private)
	s.must(err)
	body, err := json.Marshal(map[string]string{"client_key": string(ssh.MarshalAuthorizedKey(key.PublicKey()))})
	s.must(err)
	answer, err := s.w.Do(s.Context(), e2e.Request{Method: http.MethodPut, Path: "/api/v2/web.1", Body: body, Header: http.Header{
		"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(app+":"+s.token()))}, "Content-Type": {"application/json"},
	}})
	s.must(err)
	var passage struct {
		User string `json:"client_user"`
		Key  string `json:"proxy_public_key"`
	}
	s.must(json.Unmarshal(answer.Body, &passage))
	host, _, _, _, err := ssh.ParseAuthorizedKey([]byte(passage.Key))
	s.must(err)
	conn, err := net.Dial("tcp", s.w.Addr)
	s.must(err)
	over, channels, requests, err := ssh.NewClientConn(conn, "dyno", &ssh.ClientConfig{
		User: passage.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(host),
	})
	s.must(err)
	client := ssh.NewClient(over, channels, requests)
	s.Cleanup(func() { _ = client.Close() }) // closed before, mostly
	return client, conn
}

// command begins a command of a visitor's, with a terminal of 100 columns or
// without.
func (s *story) command(client *ssh.Client, terminal bool, line string) (*ssh.Session, io.WriteCloser, *bufio.Reader) {
	s.Helper()
	session, err := client.NewSession()
	s.must(err)
	if terminal {
		s.must(session.RequestPty("xterm", 30, 100, nil))
	}
	in, err := session.StdinPipe()
	s.must(err)
	out, err := session.StdoutPipe()
	s.must(err)
	s.must(session.Start(line))
	return session, in, bufio.NewReader(out)
}

// ended is the exit code of a command that ends.
func (s *story) ended(session *ssh.Session) int {
	s.Helper()
	err := session.Wait()
	var exit *ssh.ExitError
	if errors.As(err, &exit) {
		return exit.ExitStatus()
	}
	s.must(err)
	return 0
}

// inside are the processes in the dyno web.1 of hello.
func (s *story) inside() []string {
	s.Helper()
	out, err := s.w.Docker(s.Context(), "top", s.runs("hello", "web.1 v2")[0], "-eo", "pid,args")
	s.must(err)
	return strings.Split(strings.TrimSpace(out), "\n")[1:]
}

func TestVisitorsOfARunningDyno(t *testing.T) {
	s := newStory(t)
	s.start()
	s.pushShell("shell")
	s.up("hello", "shell")
	client, _ := s.enter("hello")

	session, in, out := s.command(client, true, "read x; /app window; echo $TERM $x; exit 3")
	_, err := io.WriteString(in, "hi\r")
	s.must(err)
	if said, code := s.said(out), s.ended(session); !strings.Contains(said, "100 30\r\nxterm hi\r\n") || code != 3 {
		t.Errorf("it said %q and ended with %d", said, code)
	}

	session, in, out = s.command(client, true, "trap 'echo caught; exit 4' INT; echo set; while :; do /app print TERM; done")
	for line := ""; !strings.HasPrefix(line, "xterm"); {
		line, err = out.ReadString('\n')
		s.must(err)
	}
	_, err = io.WriteString(in, "\x03")
	s.must(err)
	if said, code := s.said(out), s.ended(session); !strings.Contains(said, "caught") || code != 4 {
		t.Errorf("on Ctrl-C it said %q and ended with %d", said[max(0, len(said)-200):], code)
	}

	much := bytes.Repeat([]byte("0123456789abcde\n"), 256<<10)
	session, in, out = s.command(client, false, "/app cat")
	go func() {
		_, _ = in.Write(much) // what is missing is missed below
		_ = in.Close()
	}()
	if got, code := s.said(out), s.ended(session); got != string(much) || code != 0 {
		t.Errorf("of %d bytes %d came back, and it ended with %d", len(much), len(got), code)
	}

	files, err := sftp.NewClient(client)
	s.must(err)
	if _, err := files.Open("/absent"); err == nil {
		t.Error("a file that is not there was opened")
	}
	if said := s.logFrom("hello", "heroku"); !slices.Contains(said, "Cannot copy /absent: There is no such file.") {
		t.Errorf("the log tells %q", said)
	}
}

// TestKilledVisitorsLeaveNothingInTheDyno: whatever they ran, and though it
// wants to stay.
func TestKilledVisitorsLeaveNothingInTheDyno(t *testing.T) {
	s := newStory(t)
	s.start()
	s.pushShell("shell")
	s.up("hello", "shell")
	alone := s.inside()
	for _, terminal := range []bool{true, false} {
		client, conn := s.enter("hello")
		_, _, out := s.command(client, terminal, "trap '' INT TERM; /app silent & /app silent; /app silent")
		for range 2 {
			_, err := out.ReadString('\n')
			s.must(err)
		}
		if now := s.inside(); len(now) < len(alone)+3 {
			t.Errorf("in the dyno are %q", now)
		}
		s.must(conn.Close())
		s.poll(func() error {
			if now := s.inside(); len(now) != len(alone) {
				return fmt.Errorf("in the dyno are %q", now)
			}
			return nil
		})
	}
	s.serves("hello", "shell")
}

func TestVisitorsOfAnImageWithoutAShell(t *testing.T) {
	s := newStory(t)
	s.start()
	s.push("hello", "bare")
	s.up("hello", "bare")
	client, _ := s.enter("hello")
	session, _, out := s.command(client, false, "/app print DYNO")
	if said, code := s.said(out), s.ended(session); said != "web.1\n" || code != 0 {
		t.Errorf("a command said %q and ended with %d", said, code)
	}
	session, err := client.NewSession()
	s.must(err)
	from, err := session.StdoutPipe()
	s.must(err)
	s.must(session.Shell())
	said, code := s.said(from), s.ended(session)
	if !strings.Contains(said, "There is no shell in the image; name a command.") || code != 126 {
		t.Errorf("a shell said %q and ended with %d", said, code)
	}
	session, _, out = s.command(client, false, "rake db:migrate")
	if said, code := s.said(out), s.ended(session); !strings.Contains(said, "rake") || code == 0 {
		t.Errorf("a command that is not there said %q and ended with %d", said, code)
	}
}
