// Package egress decides where Renga may connect to when a user names the
// address: webhooks, log drains and imports. It refuses addresses of the machine and of
// private networks unless the operator allows them, so that nobody reaches
// through Renga what they could not reach themselves.
package egress

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"renga"
)

// guarded are the networks that are not the public internet. Tunnel prefixes
// are among them, for they hold other addresses.
var guarded = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
	"::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2002::/16", "fc00::/7",
	"fe80::/10", "fec0::/10", "ff00::/8",
)

// Guarded lists the networks that are not the public internet.
func Guarded() []netip.Prefix { return slices.Clone(guarded) }

// Policy is what may be connected to.
type Policy struct {
	allowed []netip.Prefix
	own     func() ([]net.Addr, error)
}

// New makes a policy. Guarded addresses within allowed may be connected to.
// This machine's own addresses are guarded, even public ones, for more listens
// there than the internet sees.
func New(allowed []netip.Prefix) *Policy { return &Policy{allowed, net.InterfaceAddrs} }

// Check refuses an address with renga.Forbidden and a sentence for its user.
func (p *Policy) Check(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	within := func(n netip.Prefix) bool { return n.Contains(ip) }
	if slices.ContainsFunc(p.allowed, within) {
		return nil
	}
	if !slices.ContainsFunc(guarded, within) {
		if own, err := p.isOwn(ip); err != nil || !own {
			return err
		}
	}
	return renga.Errorf(renga.Forbidden,
		"%s is an address of this machine or of a private network; the operator may allow it with --egress-allow.", ip)
}

// isOwn tells whether an address is one of this machine's. It looks them up
// each time, for they change; if that fails, it takes every address for one.
func (p *Policy) isOwn(ip netip.Addr) (bool, error) {
	addrs, err := p.own()
	if err != nil {
		return false, fmt.Errorf("look up this machine's addresses: %w", err)
	}
	return slices.ContainsFunc(addrs, func(a net.Addr) bool {
		at, ok := a.(*net.IPNet)
		if !ok {
			return false
		}
		own, ok := netip.AddrFromSlice(at.IP)
		return ok && own.Unmap() == ip
	}), nil
}

// Dial connects like net.Dialer.DialContext. It checks the address that is
// finally dialled, whatever a name resolved to before.
func (p *Policy) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second, Control: p.control}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn, nil
}

// control is called with the address just before it is connected to.
func (p *Policy) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("check %s: %w", address, err)
	}
	return p.Check(at.Addr())
}

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}
