package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"renga"
	"renga/certs"
)

// noteAgain is how long to wait when an outcome could not be written.
const noteAgain = 5 * time.Second

// domainNotes keeps what became of a domain's certificate.
type domainNotes interface {
	SetACM(ctx context.Context, host string, status renga.ACMStatus) error
}

// acmNotes writes down what became of ordered certificates: the newest of each
// host, as soon as the store takes it.
type acmNotes struct {
	domains domainNotes
	log     *slog.Logger
	news    chan struct{}

	mu   sync.Mutex
	open map[string]renga.ACMStatus
}

func newACMNotes(domains domainNotes, log *slog.Logger) *acmNotes {
	return &acmNotes{domains: domains, log: log, news: make(chan struct{}, 1), open: map[string]renga.ACMStatus{}}
}

// Ordered implements [certs.Watcher].
func (n *acmNotes) Ordered(host string, o certs.Outcome) {
	n.mu.Lock()
	n.open[host] = renga.ACMStatus{State: string(o.State), Reason: o.Reason}
	n.mu.Unlock()
	select {
	case n.news <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends. What is not written then is told again by the
// first look of the next start.
func (n *acmNotes) Run(ctx context.Context) error {
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.news:
		case <-retry.C:
		}
		if !n.writeAll(ctx) {
			retry.Reset(noteAgain)
		}
	}
}

// writeAll writes what is open and tells whether nothing is left.
func (n *acmNotes) writeAll(ctx context.Context) bool {
	n.mu.Lock()
	open := n.open
	n.open = map[string]renga.ACMStatus{}
	n.mu.Unlock()
	done := true
	for host, status := range open {
		if err := n.domains.SetACM(ctx, host, status); err != nil {
			n.log.Warn("certificate's outcome could not be noted", "host", host, "err", err)
			n.putBack(host, status)
			done = false
		}
	}
	return done
}

// putBack keeps an outcome for later, unless a newer one came.
func (n *acmNotes) putBack(host string, status renga.ACMStatus) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, newer := n.open[host]; !newer {
		n.open[host] = status
	}
}
