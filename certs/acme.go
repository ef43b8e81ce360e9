package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"

	"renga"
)

// LetsEncrypt stands for the URL of Let's Encrypt's directory.
const LetsEncrypt = "letsencrypt"

// challengeProtocol is the ALPN protocol of a CA's check by TLS-ALPN-01.
const challengeProtocol = "acme-tls/1"

const (
	// firstWait is how long a host's first client waits for a certificate. After
	// that it gets one of the local CA, and the order goes on.
	firstWait = 20 * time.Second
	// failedAfter is how long an order may fail before it counts as failed. It is
	// still tried again, more and more rarely.
	failedAfter = time.Hour
	// checkEvery is how often orders are compared with what is managed.
	checkEvery = time.Hour
)

// ACME says who is asked for certificates, and how it reaches this machine.
// Hosts are checked by HTTP-01 and TLS-ALPN-01, whichever works: port 80 or 443
// of the host must lead to the ports here.
type ACME struct {
	Directory string // its URL, or LetsEncrypt; empty for no ACME
	Email     string // of the account; may be empty
	RootFile  string // PEM of the CAs to trust for the directory; empty for the system's
	Dir       string // keeps account, keys and certificates
	// Host is the address and the Ports are those of the platform's listeners.
	Host              string
	HTTPPort, TLSPort int
}

// State is the status of a host's certificate.
type State string

// The states, as Heroku calls them.
const (
	Issued  State = "cert issued"
	Failing State = "failing" // it is tried again
	Failed  State = "failed"  // it has failed for an hour
)

// Outcome is what became of an attempt to get a certificate.
type Outcome struct {
	State  State
	Reason string    // of a failure
	Ends   time.Time // of a certificate that was issued
}

// Watcher is told of every attempt. It may be told the same twice, and must not
// block.
type Watcher interface {
	Ordered(host string, o Outcome)
}

// orders is the ACME client.
type orders struct {
	config   *certmagic.Config
	cache    *certmagic.Cache
	issuer   *certmagic.ACMEIssuer
	mayOrder func(context.Context, string) bool
	watcher  Watcher
	now      func() time.Time
	log      *slog.Logger
	added    chan struct{} // size one: an order waits for run to begin it

	mu   sync.Mutex
	open map[string]*order // by host
}

// order is one host under management.
type order struct {
	cancel  context.CancelFunc // nil until run begins it
	settled chan struct{}      // closed after the first outcome
	once    sync.Once
	failing time.Time // since when; zero when it is not
}

func newOrders(o Options, mayOrder func(context.Context, string) bool, w Watcher) (*orders, error) {
	roots, err := readRoots(o.ACME.RootFile)
	if err != nil {
		return nil, err
	}
	d := &orders{
		mayOrder: mayOrder,
		watcher:  w,
		now:      o.Now,
		log:      o.Log,
		added:    make(chan struct{}, 1),
		open:     map[string]*order{},
	}
	silent := zap.NewNop() // what matters of it comes as events
	// The library starts a goroutine for its cache at once; run ends it.
	d.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return d.config, nil },
		Logger:           silent,
	})
	d.config = certmagic.New(d.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: o.ACME.Dir}, OnEvent: d.event, Logger: silent,
		OCSP: certmagic.OCSPConfig{DisableStapling: true},
	})
	directory := o.ACME.Directory
	if directory == LetsEncrypt {
		directory = certmagic.LetsEncryptProductionCA
	}
	d.issuer = certmagic.NewACMEIssuer(d.config, certmagic.ACMEIssuer{
		CA: directory, TestCA: directory, Email: o.ACME.Email, Agreed: true, TrustedRoots: roots,
		ListenHost: o.ACME.Host, AltHTTPPort: o.ACME.HTTPPort, AltTLSALPNPort: o.ACME.TLSPort, Logger: silent,
	})
	d.config.Issuers = []certmagic.Issuer{d.issuer}
	return d, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // no pool is the system's
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, renga.Errorf(renga.Invalid, "%s holds no CA certificate in PEM.", file)
	}
	return pool, nil
}

// run keeps what is ordered equal to what is managed until ctx ends.
func (d *orders) run(ctx context.Context, managed func(context.Context) ([]string, error)) error {
	defer d.cache.Stop()
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	d.compare(ctx, managed)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.added:
			d.beginAdded(ctx)
		case <-tick.C:
			d.compare(ctx, managed)
		}
	}
}

// compare adds orders for newly managed hosts, and ends those for hosts that
// are no longer managed.
func (d *orders) compare(ctx context.Context, managed func(context.Context) ([]string, error)) {
	hosts, err := managed(ctx)
	if err != nil && ctx.Err() == nil {
		d.log.Error("list the hosts that need certificates", "err", err)
	}
	for _, host := range hosts {
		d.manage(host)
	}
	d.forgetUnmanaged(ctx)
}

// beginAdded begins the orders that were added: their attempts end with ctx.
func (d *orders) beginAdded(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for host, o := range d.open {
		if o.cancel != nil {
			continue
		}
		attempts, cancel := context.WithCancel(ctx)
		o.cancel = cancel
		if err := d.config.ManageAsync(attempts, []string{host}); err != nil { // it tells errors by events
			d.log.Error("order a certificate", "host", host, "err", err)
		}
	}
}

// forgetUnmanaged ends the orders of hosts that are no longer managed.
func (d *orders) forgetUnmanaged(ctx context.Context) {
	for _, host := range d.hosts() {
		if !d.mayOrder(ctx, host) && ctx.Err() == nil {
			d.forget(host)
		}
	}
}

func (d *orders) hosts() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var hosts []string
	for host := range d.open {
		hosts = append(hosts, host)
	}
	return hosts
}

func (d *orders) forget(host string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o := d.open[host]; o != nil {
		if o.cancel != nil {
			o.cancel()
		}
		delete(d.open, host)
	}
	d.cache.RemoveManaged([]certmagic.SubjectIssuer{{Subject: host}})
}

// restart begins a host's order again.
func (d *orders) restart(host string) {
	d.forget(host)
	d.manage(host)
}

// manage puts a host under management: run loads or orders its certificate, and
// renews it from then on. A second call does nothing.
func (d *orders) manage(host string) *order {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o := d.open[host]; o != nil {
		return o
	}
	o := &order{settled: make(chan struct{})}
	d.open[host] = o
	select {
	case d.added <- struct{}{}:
	default: // it will look anyway
	}
	return o
}

// wait orders a host's certificate and waits up to firstWait for it; nil if
// that was not enough.
func (d *orders) wait(hello *tls.ClientHelloInfo, host string) *tls.Certificate {
	late := time.NewTimer(firstWait)
	defer late.Stop()
	select {
	case <-d.manage(host).settled:
	case <-late.C:
	case <-hello.Context().Done():
	}
	return d.certFor(hello, host)
}

// certFor is the host's certificate; nil when there is none yet.
func (d *orders) certFor(hello *tls.ClientHelloInfo, host string) *tls.Certificate {
	best, err := certmagic.DefaultCertificateSelector(hello, d.cache.AllMatchingCertificates(host))
	if err != nil {
		return nil
	}
	return &best.Certificate
}

func isChallenge(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == challengeProtocol
}

// event takes certmagic's events.
func (d *orders) event(ctx context.Context, name string, data map[string]any) error {
	switch name {
	case "cached_managed_cert": // loaded, or ordered the first time
		for _, host := range texts(data["sans"]) {
			for _, cert := range d.cache.AllMatchingCertificates(host) {
				d.settle(host, Outcome{State: Issued, Ends: cert.Leaf.NotAfter})
			}
		}
	case "cert_obtained":
		if data["renewal"] == true {
			d.renewed(ctx, data)
		}
	case "cert_failed":
		host, _ := data["identifier"].(string)
		if err, _ := data["error"].(error); ctx.Err() == nil { // else it was given up
			d.settle(host, Outcome{State: Failing, Reason: reason(err)})
		}
	}
	return nil
}

// renewed reports a certificate that is in the storage, and soon in use.
func (d *orders) renewed(ctx context.Context, data map[string]any) {
	host, _ := data["identifier"].(string)
	file, _ := data["certificate_path"].(string)
	chain, err := d.config.Storage.Load(ctx, file)
	if err == nil {
		var leaf *x509.Certificate
		if leaf, err = firstCert(chain); err == nil {
			d.settle(host, Outcome{State: Issued, Ends: leaf.NotAfter})
			return
		}
	}
	d.log.Error("read a renewed certificate", "host", host, "err", err)
}

// settle records an outcome and reports it.
func (d *orders) settle(host string, o Outcome) {
	d.mu.Lock()
	if held := d.open[host]; held != nil {
		o.State = held.state(o.State, d.now())
		held.once.Do(func() { close(held.settled) })
	}
	d.mu.Unlock()
	if o.State == Issued {
		d.log.Info("certificate is there", "host", host, "ends", o.Ends)
	} else {
		d.log.Warn("certificate could not be got", "host", host, "state", string(o.State), "reason", o.Reason)
	}
	if d.watcher != nil {
		d.watcher.Ordered(host, o)
	}
}

// state tells failing from failed by how long it has been so.
func (o *order) state(s State, now time.Time) State {
	switch {
	case s == Issued:
		o.failing = time.Time{}
	case o.failing.IsZero():
		o.failing = now
	case now.Sub(o.failing) >= failedAfter:
		return Failed
	}
	return s
}

// reason is what the ACME server found, or the innermost cause.
func reason(err error) string {
	if err == nil {
		return "unknown"
	}
	var found acme.Problem
	if errors.As(err, &found) && found.Detail != "" {
		return found.Detail
	}
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err.Error()
}

func texts(v any) []string {
	list, _ := v.([]string)
	return list
}
