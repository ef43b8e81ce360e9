package certs

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"renga"
)

// reloadEvery is how long a change of the files may go unnoticed.
const reloadEvery = 2 * time.Second

// pair is a certificate from two files. They are read again when one of them
// has changed; while they do not belong together, as between two renames, the
// pair before is used.
type pair struct {
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger

	mu     sync.Mutex
	held   *tls.Certificate
	stamp  string    // of the files when they were read last
	looked time.Time // at the stamp
}

func openPair(certFile, keyFile string, now func() time.Time, log *slog.Logger) (*pair, error) {
	p := &pair{certFile: certFile, keyFile: keyFile, now: now, log: log, looked: now()}
	var err error
	if p.stamp, err = p.stampNow(); err == nil {
		p.held, err = p.load()
	}
	if err != nil {
		return nil, renga.Errorf(renga.Invalid, "The certificate in %s with the key in %s cannot be used: %w. Both must be "+
			"PEM, the certificate first and then its chain.", certFile, keyFile, err)
	}
	return p, nil
}

// certFor is the certificate if it is good for the host; nil otherwise, and for a
// nil pair.
func (p *pair) certFor(host string) *tls.Certificate {
	if p == nil {
		return nil
	}
	held := p.current()
	if held.Leaf.VerifyHostname(host) != nil {
		return nil
	}
	return held
}

// current is the certificate, read again if the files have changed and it is
// time to look.
func (p *pair) current() *tls.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if now.Sub(p.looked) < reloadEvery {
		return p.held
	}
	p.looked = now
	stamp, err := p.stampNow()
	if err == nil && stamp == p.stamp {
		return p.held
	}
	fresh, err := p.load()
	if err != nil {
		p.log.Warn("certificate files cannot be used, the ones before are", "cert", p.certFile, "key", p.keyFile, "err", err)
		return p.held
	}
	p.log.Info("certificate files were read again", "cert", p.certFile, "ends", fresh.Leaf.NotAfter)
	p.held, p.stamp = fresh, stamp
	return p.held
}

func (p *pair) load() (*tls.Certificate, error) {
	loaded, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	return &loaded, err
}

func (p *pair) stampNow() (string, error) {
	stamp := ""
	for _, name := range []string{p.certFile, p.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return "", err
		}
		stamp += fmt.Sprintf("%s %d;", info.ModTime(), info.Size())
	}
	return stamp, nil
}
