package front_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"renga/front"
)

// door is a running door on a free port.
type door struct {
	addr  string
	pool  *x509.CertPool
	stop  context.CancelFunc
	ended chan error
}

// open runs d behind a free port until the test ends. Its server tells what the
// request was.
func open(t *testing.T, d front.Door) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.Listener = l
	if d.Server == nil {
		d.Server = &http.Server{Handler: http.HandlerFunc(tell)}
	}
	if d.ShutdownTimeout == 0 {
		d.ShutdownTimeout = 10 * time.Second
	}
	ctx, stop := context.WithCancel(t.Context())
	o := &door{addr: l.Addr().String(), stop: stop, ended: make(chan error, 1)}
	go func() { o.ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-o.ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		o.ended <- nil // for a second look
	})
	return o
}

func tell(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // an error shows in what is missing
	fmt.Fprintf(w, "%s %s tls=%t body=%s", r.Proto, r.URL.Path, r.TLS != nil, body)
}

// selfSigned is a TLS configuration for localhost and the loopback address.
func selfSigned(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"h2", "http/1.1"},
	}, pool
}

// answersLine is an Other that reads a line and answers it, until the peer ends.
func answersLine(c net.Conn) {
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		fmt.Fprintf(c, "heard %s\n", lines.Text())
	}
}

func openTLS(t *testing.T, other func(net.Conn)) *door {
	t.Helper()
	config, pool := selfSigned(t)
	o := open(t, front.Door{TLS: config, Other: other})
	o.pool = pool
	return o
}

func dialTLS(t *testing.T, o *door, config *tls.Config) *tls.Conn {
	t.Helper()
	config.RootCAs = o.pool
	c, err := tls.Dial("tcp", o.addr, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the peer may have closed it
	return c
}

// say writes bytes one by one or at once and returns the line that comes back.
func say(t *testing.T, c net.Conn, slowly bool, text string) string {
	t.Helper()
	parts := []string{text}
	if slowly {
		parts = strings.Split(text, "")
	}
	for _, part := range parts {
		if _, err := io.WriteString(c, part); err != nil {
			t.Fatal(err)
		}
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatalf("no answer to %q: %v", text, err)
	}
	return strings.TrimSpace(line)
}

// withoutSNI is the configuration of a client that sends no server name: the
// address is none, and the certificate is checked all the same.
func withoutSNI() *tls.Config { return &tls.Config{ServerName: "127.0.0.1"} }

func TestATLSConnectionWithoutNameAndRequestIsHandedOver(t *testing.T) {
	o := openTLS(t, answersLine)
	for _, slowly := range []bool{false, true} {
		if got := say(t, dialTLS(t, o, withoutSNI()), slowly, "s3cr3t?x=1\r\n"); got != "heard s3cr3t?x=1" {
			t.Errorf("slowly %t: %q", slowly, got)
		}
	}
}

func TestARequestWithoutNameIsHTTPWithTLS(t *testing.T) {
	o := openTLS(t, answersLine)
	for _, slowly := range []bool{false, true} {
		c := dialTLS(t, o, withoutSNI())
		if got := say(t, c, slowly, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"); got != "HTTP/1.1 200 OK" {
			t.Errorf("slowly %t: %q", slowly, got)
		}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: o.pool}}}
	defer client.CloseIdleConnections()
	if got := get(t, client, "https://"+o.addr+"/b"); got != "HTTP/1.1 /b tls=true body=" {
		t.Errorf("got %q", got)
	}
}

func TestHTTP2IsSpokenWithAndWithoutAName(t *testing.T) {
	for _, other := range []func(net.Conn){nil, answersLine} {
		o := openTLS(t, other)
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: o.pool}, ForceAttemptHTTP2: true,
		}}
		_, port, _ := net.SplitHostPort(o.addr)
		for _, host := range []string{"127.0.0.1", "localhost"} {
			if got := get(t, client, "https://"+net.JoinHostPort(host, port)+"/c"); got != "HTTP/2.0 /c tls=true body=" {
				t.Errorf("%s: got %q", host, got)
			}
		}
		client.CloseIdleConnections()
	}
}

func TestANamedConnectionIsNeverHandedOver(t *testing.T) {
	o := openTLS(t, answersLine)
	c := dialTLS(t, o, &tls.Config{ServerName: "localhost"})
	if got := say(t, c, false, "s3cr3t\r\n"); !strings.HasPrefix(got, "HTTP/1.1 400") {
		t.Errorf("got %q", got)
	}
}

func TestPlainHTTPOnTheTLSPortIsToldSo(t *testing.T) {
	o := openTLS(t, answersLine)
	c := dial(t, o)
	if got := say(t, c, false, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); got != "HTTP/1.0 400 Bad Request" {
		t.Errorf("got %q", got)
	}
}

func TestSSHIsHandedOverAndHTTPIsNot(t *testing.T) {
	o := open(t, front.Door{Other: answersLine})
	for _, slowly := range []bool{false, true} {
		if got := say(t, dial(t, o), slowly, "SSH-2.0-x\r\n"); got != "heard SSH-2.0-x" {
			t.Errorf("slowly %t: %q", slowly, got)
		}
		for _, method := range []string{"GET", "SEARCH", "SSH"} {
			if got := say(t, dial(t, o), slowly, method+" / HTTP/1.1\r\nHost: x\r\n\r\n"); got != "HTTP/1.1 200 OK" {
				t.Errorf("%s slowly %t: %q", method, slowly, got)
			}
		}
	}
}

func TestSilentPeersAreLeftAfterAWhileAndHoldUpNobody(t *testing.T) {
	config, pool := selfSigned(t)
	server := func() *http.Server {
		return &http.Server{Handler: http.HandlerFunc(tell), ReadHeaderTimeout: 100 * time.Millisecond}
	}
	plain := open(t, front.Door{Server: server(), Other: answersLine})
	secure := open(t, front.Door{Server: server(), Other: answersLine, TLS: config})
	secure.pool = pool
	for name, c := range map[string]net.Conn{
		"plain": dial(t, plain), "before the handshake": dial(t, secure), "after it": dialTLS(t, secure, withoutSNI()),
	} {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: got a byte", name)
		}
	}
	if got := say(t, dial(t, plain), false, "SSH-2.0-x\r\n"); got != "heard SSH-2.0-x" {
		t.Errorf("got %q", got)
	}
}

// TestTheEndWaitsForRequestsAndCutsTheRest has one connection of each kind open
// when the door is closed.
func TestTheEndWaitsForRequestsAndCutsTheRest(t *testing.T) {
	begun, finish := make(chan bool), make(chan bool)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		begun <- true
		<-finish
		fmt.Fprint(w, "whole")
	})}
	o := open(t, front.Door{Server: server, Other: answersLine})
	silent, session := dial(t, o), dial(t, o)
	if got := say(t, session, false, "SSH-2.0-x\r\n"); got != "heard SSH-2.0-x" {
		t.Fatalf("got %q", got)
	}
	answer := make(chan string, 1)
	go func() { answer <- get(t, http.DefaultClient, "http://"+o.addr+"/") }()
	<-begun
	o.stop()
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("the silent peer got a byte")
	}
	close(finish)
	if got := <-answer; got != "whole" {
		t.Errorf("the request under way got %q", got)
	}
	if _, err := session.Read(make([]byte, 1)); err == nil {
		t.Error("the session got a byte")
	}
}

func TestAFailedListenerEndsTheDoor(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	d := front.Door{Listener: l, Server: &http.Server{Handler: http.HandlerFunc(tell)}, Other: answersLine}
	if err := d.Run(t.Context()); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("Run: %v", err)
	}
}

func dial(t *testing.T, o *door) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", o.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the peer may have closed it
	return c
}

func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	r, err := client.Get(url)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer func() { _ = r.Body.Close() }() // it was read
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}
