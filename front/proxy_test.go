package front_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"renga"
	"renga/front"
)

const request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

var loopback = renga.Proxies{netip.MustParsePrefix("127.0.0.0/8")}

// whoServer tells whom a request comes from.
func whoServer() *http.Server {
	return &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "from=%s tls=%t", r.RemoteAddr, r.TLS != nil)
		}),
	}
}

// proxyHeader is a header as HAProxy sends it.
func proxyHeader(t *testing.T, version byte, from string) string {
	t.Helper()
	source := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))
	to := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 443}
	if source.IP.To4() == nil {
		to.IP = net.ParseIP("2001:db8::443")
	}
	header, err := proxyproto.HeaderProxyFromAddrs(version, source, to).Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(header)
}

// exchange writes and reads all that comes back.
func exchange(t *testing.T, c net.Conn, text string) string {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(c) // an error shows in what is missing
	return string(answer)
}

func TestATrustedBalancersProxyHeaderNamesTheClient(t *testing.T) {
	for _, other := range []func(net.Conn){nil, answersLine} {
		o := open(t, front.Door{Server: whoServer(), Other: other, Trusted: loopback})
		for name, c := range map[string]struct{ head, want string }{
			"version 1":          {proxyHeader(t, 1, "203.0.113.7:5555"), "from=203.0.113.7:5555 "},
			"version 1, IPv6":    {proxyHeader(t, 1, "[2001:db8::7]:5555"), "from=[2001:db8::7]:5555 "},
			"version 2":          {proxyHeader(t, 2, "203.0.113.7:5555"), "from=203.0.113.7:5555 "},
			"version 2, IPv6":    {proxyHeader(t, 2, "[2001:db8::7]:5555"), "from=[2001:db8::7]:5555 "},
			"its own connection": {"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", "from=127.0.0.1:"},
			"version 1, unknown": {"PROXY UNKNOWN\r\n", "from=127.0.0.1:"},
			"no header":          {"", "from=127.0.0.1:"},
		} {
			if got := exchange(t, dial(t, o), c.head+request); !strings.Contains(got, c.want) {
				t.Errorf("%s, other %t: %q, want %q", name, other != nil, got, c.want)
			}
		}
		for name, head := range map[string]string{
			"a wrong address":    "PROXY TCP4 nowhere 10.0.0.1 1 2\r\n",
			"an endless header":  "PROXY TCP4 " + strings.Repeat("1", 200),
			"a strange version":  "\r\n\r\n\x00\r\nQUIT\n\x31\x11\x00\x00",
			"more than it holds": "\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff" + strings.Repeat("x", 5000),
		} {
			if got := exchange(t, dial(t, o), head); got != "" {
				t.Errorf("%s: answered %q", name, got)
			}
		}
	}
}

func TestAProxyHeaderComesBeforeTLSAndSSH(t *testing.T) {
	config, pool := selfSigned(t)
	for _, other := range []func(net.Conn){nil, answersLine} {
		o := open(t, front.Door{Server: whoServer(), TLS: config, Other: other, Trusted: loopback})
		for _, name := range []string{"127.0.0.1", "localhost"} {
			raw := dial(t, o)
			if _, err := io.WriteString(raw, proxyHeader(t, 2, "203.0.113.7:5555")); err != nil {
				t.Fatal(err)
			}
			c := tls.Client(raw, &tls.Config{RootCAs: pool, ServerName: name})
			if got := exchange(t, c, request); !strings.Contains(got, "from=203.0.113.7:5555 tls=true") {
				t.Errorf("%s, other %t: %q", name, other != nil, got)
			}
		}
	}
	told := make(chan string, 1)
	o := open(t, front.Door{
		Server: whoServer(), Trusted: loopback, Other: func(c net.Conn) { told <- c.RemoteAddr().String() },
	})
	exchange(t, dial(t, o), proxyHeader(t, 1, "203.0.113.7:5555")+"SSH-2.0-x\r\n")
	if from := <-told; from != "203.0.113.7:5555" {
		t.Errorf("SSH came from %s", from)
	}
}

func TestNobodyElseMaySendAProxyHeader(t *testing.T) {
	elsewhere := renga.Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	for _, trusted := range []renga.Proxies{nil, elsewhere} {
		o := open(t, front.Door{Server: whoServer(), Trusted: trusted, Other: answersLine})
		for _, version := range []byte{1, 2} {
			got := exchange(t, dial(t, o), proxyHeader(t, version, "203.0.113.7:5555")+request)
			if !strings.HasPrefix(got, "HTTP/1.1 400 ") {
				t.Errorf("version %d: %q", version, got)
			}
		}
	}
}
