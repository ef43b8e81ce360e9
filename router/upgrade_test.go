package router_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"renga/router"
)

// switches is a dyno that agrees to whatever protocol it is asked for, and
// shouts back one line in it; to others it tells the headers it got.
func switches(tb testing.TB) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			_ = r.Header.Write(w)
			return
		}
		hangsUp(tb, func(c net.Conn) {
			_, _ = io.WriteString(c,
				"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\n\r\n")
			line, _ := bufio.NewReader(c).ReadString('\n')
			_, _ = io.WriteString(c, strings.ToUpper(line))
		})(w, r)
	}
}

func TestAWebSocketIsAnUpgradeHoweverItIsSpelt(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, switches(t)))
	for _, spelt := range []string{"websocket", "WebSocket"} {
		c := f.dial(t)
		c.send("GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: keep-alive, Upgrade\r\nUpgrade: " + spelt + "\r\n\r\n")
		res, err := http.ReadResponse(c.r, nil)
		if err != nil || res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Upgrade") != spelt {
			t.Fatalf("%s: %+v, %v", spelt, res, err)
		}
		c.send("hello\n")
		if b, err := io.ReadAll(c.r); err != nil || string(b) != "HELLO\n" {
			t.Errorf("%s: got %q, %v", spelt, b, err)
		}
	}
}

// TestNothingElseIsAnUpgrade is for what h2c opens: behind it, requests would
// run past the router.
func TestNothingElseIsAnUpgrade(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, switches(t)))
	for _, upgrade := range []string{
		"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings", "Upgrade: h2c\r\nConnection: Upgrade",
		"Upgrade: shout\r\nConnection: Upgrade",
		"Upgrade: h2c, websocket\r\nConnection: Upgrade", "Upgrade: websocket\r\nUpgrade: h2c\r\nConnection: Upgrade",
		"Upgrade: caf\xe9\r\nConnection: Upgrade", "Upgrade: h2c", "Upgrade: TLS/1.2\r\nConnection: Upgrade",
	} {
		c := f.dial(t)
		c.send("GET / HTTP/1.1\r\nHost: " + host + "\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nX-Own: 1\r\n" + upgrade +
			"\r\n\r\n")
		res, err := http.ReadResponse(c.r, nil)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%q: %+v, %v", upgrade, res, err)
		}
		b, err := io.ReadAll(res.Body)
		if err != nil || !strings.Contains(string(b), "X-Own: 1") {
			t.Errorf("%q: %q, %v", upgrade, b, err)
		}
		for _, name := range []string{"Upgrade", "Http2-Settings", "Connection"} {
			if strings.Contains(string(b), name+":") {
				t.Errorf("%q: the dyno got %s:\n%s", upgrade, name, b)
			}
		}
		// The router goes on seeing the connection's requests.
		f.record(t)
		c.send("GET /second HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
		if res, err := http.ReadResponse(c.r, nil); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%q: the next request got %+v, %v", upgrade, res, err)
		}
		if r := f.record(t); r.Path != "/second" {
			t.Errorf("%q: the next record is of %s", upgrade, r.Path)
		}
	}
}
