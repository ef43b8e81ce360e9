package logs_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"renga"
)

// owners tells whether the app's owner can read some text.
func (d *drainFixture) owners(text string) func() bool {
	return func() bool {
		return strings.Contains(strings.Join(last(d.T, d.Logs, 20, renga.LogFilter{Source: "heroku"}), "\n"), text)
	}
}

func TestAReceiverWithHeadersWithoutEndIsLeft(t *testing.T) {
	ended := make(chan bool, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		for _, err = io.WriteString(c, "HTTP/1.1 200 OK\r\n"); err == nil; {
			_, err = io.WriteString(c, "X-Much: "+strings.Repeat("x", 1000)+"\r\n")
		}
		ended <- true
	}))
	defer s.Close()
	d := newDrainFixture(t, s.URL)
	d.run()
	d.say(d.owners("does not take lines: the receiver cannot be reached, or does not take them"))
	<-ended
}

func TestASyslogReceiverThatSendsWithoutEndIsLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	calls := make(chan bool, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			calls <- true
			go func() { // ends with the connection
				defer c.Close()
				for err == nil {
					_, err = c.Write(make([]byte, 1<<16))
				}
			}()
		}
	}()
	d := newDrainFixture(t, "syslog://"+l.Addr().String())
	d.run()
	seen := 0
	d.say(func() bool { // it is called anew for as long as there are lines
		select {
		case <-calls:
			seen++
		default:
		}
		return seen >= 2
	})
}

// TestADrainsErrorIsNoMap has drains that fail in all ways that would tell what
// is where.
func TestADrainsErrorIsNoMap(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	hangsUp := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter,
		*http.Request) {
		panic(http.ErrAbortHandler)
	}))
	defer hangsUp.Close()
	at := hangsUp.Listener.Addr().String()
	said := map[string]bool{}
	for _, url := range []string{
		"http://" + nobody, "syslog://" + nobody, "syslog+tls://" + nobody, "http://" + at, "https://" + at,
		"syslog+tls://" + at, "http://no-such.invalid:80",
	} {
		d := newDrainFixture(t, url)
		d.run()
		d.say(d.owners("does not take lines"))
		for _, line := range last(t, d.Logs, 20, renga.LogFilter{Source: "heroku"}) {
			if _, why, ok := strings.Cut(line, "does not take lines: "); ok {
				said[why] = true
			}
		}
		d.stop()
	}
	if len(said) != 1 {
		t.Errorf("owners can tell the failures apart: %v", said)
	}
	for why := range said {
		for _, hint := range []string{"127.0.0.1", "refused", "timeout", "reset", "EOF", "no such host"} {
			if strings.Contains(why, hint) {
				t.Errorf("owners are told %q", why)
			}
		}
	}
}
