package logs_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"renga/children"
)

// rsyslog runs a real rsyslogd on one port, over TCP and UDP, and gives its
// address and the file that it writes.
func rsyslog(t *testing.T) (addr, file string) {
	t.Helper()
	dir := t.TempDir()
	addr, file = freePort(t), filepath.Join(dir, "received")
	_, port, _ := net.SplitHostPort(addr)
	config := filepath.Join(dir, "rsyslog.conf")
	text := fmt.Sprintf(`global(workDirectory=%[1]q)
module(load="imtcp")
module(load="imudp")
input(type="imtcp" address="127.0.0.1" port="%[2]s")
input(type="imudp" address="127.0.0.1" port="%[2]s")
template(name="all" type="string" string="%%PRI%%|%%TIMESTAMP:::date-rfc3339%%|%%HOSTNAME%%|%%APP-NAME%%|%%PROCID%%|%%MSG%%\n")
action(type="omfile" file=%[3]q template="all")
`, dir, port, file)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("rsyslogd", "-n", "-f", config, "-i", filepath.Join(dir, "pid"))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := children.Start(cmd, syscall.SIGKILL); err != nil {
		t.Fatalf("start rsyslogd (script/setup.sh --test installs it): %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it keeps nothing
		_ = cmd.Wait()         // killed
	})
	return addr, file
}

// freePort finds a port that is free for TCP and UDP.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		p, err := net.ListenPacket("udp", addr)
		_ = l.Close() // nothing was accepted
		if err == nil {
			_ = p.Close() // nothing was read
			return addr
		}
	}
	t.Fatal("no free port found")
	return ""
}

func TestRsyslogTakesWhatDrainsSend(t *testing.T) {
	for _, scheme := range []string{"syslog", "syslog+udp"} {
		t.Run(scheme, func(t *testing.T) {
			addr, file := rsyslog(t)
			d := newDrainFixture(t, scheme+"://"+addr)
			d.run()
			received := func() string {
				b, err := os.ReadFile(file)
				if err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
				return string(b)
			}
			d.say(func() bool { return strings.Contains(received(), "hello") })
			for i := range 500 {
				d.Line(app, "heroku", "router", fmt.Sprintf(`at=info path="/%d" [x]`, i))
				if i%100 == 99 { // as many as the kernel keeps for an rsyslogd that is busy: UDP waits for nobody
					d.until("all arrive", func() bool { return strings.Contains(received(), fmt.Sprintf(`/%d"`, i)) })
				}
			}
			lines := strings.Split(strings.TrimSpace(received()), "\n")
			if want := "190|2026-11-22T12:00:00.820000+00:00|d.token|app|web.1|hello"; lines[0] != want {
				t.Errorf("first is %q, want %q", lines[0], want)
			}
			at := 0
			for _, line := range lines {
				if line == fmt.Sprintf(`158|2026-11-22T12:00:00.820000+00:00|d.token|heroku|router|at=info path="/%d" [x]`, at) {
					at++
				}
			}
			if at != 500 {
				t.Errorf("%d of 500 lines are as they were sent", at)
			}
		})
	}
}

// listenTLS takes connections with a server's certificate and hands on what
// comes.
func listenTLS(t *testing.T, server *httptest.Server, take func([]byte)) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: server.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // ends the loop below
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }() // it was only read
				b := make([]byte, 64<<10)
				for {
					n, err := conn.Read(b)
					take(b[:n])
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}
