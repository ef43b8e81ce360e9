package certs_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"renga/certs"
	"renga/children"
)

// pebble is the ACME test server's program, built by TestMain.
var pebble string

func TestMain(m *testing.M) { os.Exit(withPebble(m.Run)) }

func withPebble(run func() int) int {
	dir, err := os.MkdirTemp("", "renga-pebble-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary directory: the system's to clear
	pebble = filepath.Join(dir, "pebble")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", pebble, "github.com/letsencrypt/pebble/v2/cmd/pebble")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build pebble: %v\n%s", err, out)
		return 1
	}
	return run()
}

// acmeFixture is a platform's two listeners with an ACME server that can reach them.
type acmeFixture struct {
	*fixture
	plain, secure net.Listener
	directory     string
	orders        string // where they are kept
	pebble        *exec.Cmd
	roots         *x509.CertPool // of what the ACME server issues
}

// checks are how the ACME server may check a host here.
type checks struct{ http, alpn bool }

func newACMEFixture(t *testing.T, w checks) *acmeFixture {
	t.Helper()
	s := &acmeFixture{fixture: newFixture(t), plain: listen(t), secure: listen(t), orders: orderDir(t)}
	s.startPebble(t, w)
	return s
}

// orderDir is a directory that orders given up may write to for a moment more.
func orderDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "renga-acme-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		late := time.Now().Add(10 * time.Second)
		for err := os.RemoveAll(dir); err != nil; err = os.RemoveAll(dir) {
			if time.Now().After(late) {
				t.Error(err)
				return
			}
		}
	})
	return dir
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // the servers close it
	return l
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// freePort is a port that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nothing was accepted
	return port(l)
}

// startPebble starts the ACME test server, whose own certificate is
// by the site's CA.
func (s *acmeFixture) startPebble(t *testing.T, w checks) {
	t.Helper()
	own, err := s.ca(t).Issue([]string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	writePair(t, s.fixture, own)
	management := freePort(t)
	front := freePort(t)
	settings := map[string]any{
		"listenAddress":           fmt.Sprintf("127.0.0.1:%d", front),
		"managementListenAddress": fmt.Sprintf("127.0.0.1:%d", management),
		"certificate":             s.path("tls.crt"), "privateKey": s.path("tls.key"), "httpPort": freePort(t),
		"tlsPort": freePort(t),
	}
	if w.http {
		settings["httpPort"] = port(s.plain)
	}
	if w.alpn {
		settings["tlsPort"] = port(s.secure)
	}
	config, err := json.Marshal(map[string]any{"pebble": settings})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path("pebble.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	s.pebble = exec.Command(pebble, "-config", s.path("pebble.json"), "-dnsserver", nameServer(t))
	s.pebble.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
	s.pebble.Stdout, s.pebble.Stderr = log, log
	if err := children.Start(s.pebble, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.endPebble()
		if t.Failed() {
			t.Logf("pebble:\n%s", log)
		}
	})
	s.directory = fmt.Sprintf("https://127.0.0.1:%d/dir", front)
	s.readRoots(t, fmt.Sprintf("https://127.0.0.1:%d/roots/0", management))
}

func (s *acmeFixture) endPebble() {
	_ = s.pebble.Process.Kill() // it may have ended
	_ = s.pebble.Wait()         // killed
}

// readRoots waits for pebble and asks what it signs with.
func (s *acmeFixture) readRoots(t *testing.T, url string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.ca(t).Pool()}, DisableKeepAlives: true,
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := client.Get(url)
		if err == nil {
			body, err := io.ReadAll(r.Body)
			_ = r.Body.Close() // it was read
			s.roots = x509.NewCertPool()
			if err == nil && s.roots.AppendCertsFromPEM(body) {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("pebble does not answer: %v", err)
		case <-tick.C:
		}
	}
}

// nameServer answers every name with the loopback address, over UDP and TCP.
func nameServer(t *testing.T) string {
	t.Helper()
	l := listen(t)
	packets, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []*dns.Server{{Listener: l}, {PacketConn: packets}} {
		server.Handler = dns.HandlerFunc(resolve)
		started, ended := make(chan bool), make(chan error, 1)
		server.NotifyStartedFunc = func() { close(started) }
		go func() { ended <- server.ActivateAndServe() }()
		<-started
		t.Cleanup(func() {
			_ = server.Shutdown() // the test is over
			_ = <-ended           // killed
		})
	}
	return l.Addr().String()
}

func resolve(w dns.ResponseWriter, q *dns.Msg) {
	answer := new(dns.Msg).SetReply(q)
	if q.Question[0].Qtype == dns.TypeA {
		answer.Answer = []dns.RR{&dns.A{
			Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1},
			A:   net.IPv4(127, 0, 0, 1),
		}}
	}
	_ = w.WriteMsg(answer) // the client asks again
}

// outcomes remembers what it was told.
type outcomes struct {
	mu   sync.Mutex
	of   map[string]certs.Outcome
	told chan string
}

func (o *outcomes) Ordered(host string, what certs.Outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.of[host] = what
	select {
	case o.told <- host:
	default:
	}
}

// await waits until there is an outcome for the host.
func (o *outcomes) await(t *testing.T, host string) certs.Outcome {
	t.Helper()
	late := time.After(time.Minute)
	for {
		o.mu.Lock()
		what, ok := o.of[host]
		o.mu.Unlock()
		if ok {
			return what
		}
		select {
		case <-o.told:
		case <-late:
			t.Fatalf("nothing was told of %s", host)
		}
	}
}

// managing lists hosts that are to have certificates by themselves.
type managing struct{ ours }

func (m managing) Managed(context.Context) ([]string, error) { return m.ours, nil }

// serve opens certificates by ACME on the site's listeners, until stop.
func (s *acmeFixture) serve(t *testing.T, h certs.Hosts) (c *certs.Certs, told *outcomes, stop func()) {
	t.Helper()
	told = &outcomes{of: map[string]certs.Outcome{}, told: make(chan string, 100)}
	c, err := certs.New(certs.Options{
		Domain: domain, CA: s.ca(t), Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		ACME: certs.ACME{
			Directory: s.directory, Email: "someone@example.org", RootFile: s.path("ca.crt"), Dir: s.orders,
			Host: "127.0.0.1", HTTPPort: port(s.plain), TLSPort: port(s.secure),
		},
	}, h, nil, told)
	if err != nil {
		t.Fatal(err)
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "app ", r.URL.Path) })
	plain, secure := &http.Server{Handler: c.Challenges(app)},
		&http.Server{Handler: app, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { _ = plain.Serve(s.plain) })                                   // until Close
	all.Go(func() { _ = secure.Serve(tls.NewListener(s.secure, c.TLSConfig())) }) // until Close
	all.Go(func() { _ = c.Run(ctx) })                                             // ends without an error
	stop = sync.OnceFunc(func() {
		cancel()
		_ = plain.Close()  // the test is over
		_ = secure.Close() // the test is over
		all.Wait()
	})
	t.Cleanup(stop)
	return c, told, stop
}

func TestOrdersAreCheckedByEitherChallenge(t *testing.T) {
	for name, w := range map[string]checks{"http-01": {http: true}, "tls-alpn-01": {alpn: true}} {
		t.Run(name, func(t *testing.T) {
			s := newACMEFixture(t, w)
			c, told, _ := s.serve(t, managing{ours{"www.example.org"}})
			what := told.await(t, "www.example.org")
			if what.State != certs.Issued || what.Ends.Before(time.Now()) {
				t.Fatalf("the outcome is %+v", what)
			}
			got, err := shake(t, c, "www.example.org", &tls.Config{RootCAs: s.roots})
			if err != nil || !got.NotAfter.Equal(what.Ends) {
				t.Errorf("the certificate of its own accord: %v", err)
			}
			if _, err := shake(t, c, "api."+domain, &tls.Config{RootCAs: s.roots}); err != nil {
				t.Errorf("the platform's name: %v", err)
			}
			if got, err := shake(t, c, "", &tls.Config{InsecureSkipVerify: true}); err != nil ||
				got.VerifyHostname("api."+domain) != nil {
				t.Errorf("without a name: %v", err)
			}
		})
	}
}

func TestAFirstClientWaitsForTheCertificateAndItIsKept(t *testing.T) {
	s := newACMEFixture(t, checks{http: true, alpn: true})
	_, _, stop := s.serve(t, ours{"hello." + domain})
	trusting := &tls.Config{RootCAs: s.roots}
	dial := func() (*tls.Conn, error) {
		config := trusting.Clone()
		config.ServerName = "hello." + domain
		return tls.Dial("tcp", s.secure.Addr().String(), config)
	}
	first, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	serial := first.ConnectionState().PeerCertificates[0].SerialNumber
	_ = first.Close() // nothing was sent
	stop()
	s.endPebble()
	c, told, _ := s.serve(t, ours{"hello." + domain})
	again, err := shake(t, c, "hello."+domain, trusting)
	if err != nil || again.SerialNumber.Cmp(serial) != 0 {
		t.Errorf("after a restart, without the ACME server: %v", err)
	}
	if what := told.await(t, "hello."+domain); what.State != certs.Issued {
		t.Errorf("told %+v", what)
	}
}

func TestFailuresAreToldAndTheLocalCAHelpsOut(t *testing.T) {
	s := newACMEFixture(t, checks{})
	c, told, _ := s.serve(t, ours{"hello." + domain})
	if _, err := shake(t, c, "hello."+domain, &tls.Config{RootCAs: s.ca(t).Pool()}); err != nil {
		t.Error(err)
	}
	what := told.await(t, "hello."+domain)
	if what.State != certs.Failing || !strings.Contains(what.Reason, "127.0.0.1:") {
		t.Errorf("told %+v", what)
	}
}

func TestNothingIsOrderedForUnknownHosts(t *testing.T) {
	s := newACMEFixture(t, checks{http: true, alpn: true})
	c, told, _ := s.serve(t, ours{})
	if got, err := shake(t, c, "stranger.example", &tls.Config{InsecureSkipVerify: true}); err != nil ||
		got.VerifyHostname("stranger.example") == nil {
		t.Errorf("a stranger got a certificate: %v", err)
	}
	for _, name := range []string{"api.", "registry.", "git.", ""} {
		told.await(t, name+domain) // all that was ordered at the start
	}
	told.mu.Lock()
	defer told.mu.Unlock()
	if _, ordered := told.of["stranger.example"]; ordered || len(told.of) != 4 {
		t.Errorf("ordered: %v", told.of)
	}
}

func TestAppsAnswerTheirOwnChallenges(t *testing.T) {
	s := newACMEFixture(t, checks{})
	s.serve(t, ours{})
	r, err := http.Get("http://" + s.plain.Addr().String() + "/.well-known/acme-challenge/of-an-app")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }() // it was read
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != "app /.well-known/acme-challenge/of-an-app" {
		t.Errorf("%q, err %v", body, err)
	}
}

func TestARootFileMustHoldACertificate(t *testing.T) {
	p := newFixture(t)
	if err := os.WriteFile(p.path("root.pem"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY"}), 0o600); err != nil {
		t.Fatal(err)
	}
	o := certs.Options{
		Domain: domain, CA: p.ca(t), ACME: certs.ACME{Directory: "https://127.0.0.1/dir", RootFile: p.path("root.pem")},
	}
	if _, err := certs.New(o, ours{}, nil, nil); err == nil || !strings.Contains(err.Error(), "no CA certificate") {
		t.Errorf("New: %v", err)
	}
}
