package certs

import (
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"time"
)

// issued holds what the local CA issued, and issues it anew when less than a
// third of its life is left.
type issued struct {
	ca  *CA
	now func() time.Time

	mu   sync.Mutex
	held map[string]*tls.Certificate // by the names, joined
}

func newIssued(ca *CA, now func() time.Time) *issued {
	return &issued{ca: ca, now: now, held: map[string]*tls.Certificate{}}
}

// certFor is a certificate for one host. Callers have checked that the host is ours,
// which bounds their number.
func (i *issued) certFor(host string) (*tls.Certificate, error) { return i.own([]string{host}, nil) }

// own is for all names at once.
func (i *issued) own(names []string, ips []net.IP) (*tls.Certificate, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	key, now := strings.Join(names, " "), i.now()
	if held := i.held[key]; held != nil && now.Before(held.Leaf.NotAfter.Add(-leafLife/3)) {
		return held, nil
	}
	fresh, err := i.ca.issue(names, ips, now)
	if err == nil {
		i.held[key] = fresh
	}
	return fresh, err
}
