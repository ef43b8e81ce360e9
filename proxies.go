package renga

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of the balancers in front of the platform. The
// headers in which they name their clients are believed; those of other peers
// are only passed on.
type Proxies []netip.Prefix

// Trust tells whether a peer is one of them. Peer is an address, with or without
// a port.
func (ps Proxies) Trust(peer string) bool {
	if len(ps) == 0 {
		return false
	}
	addr, ok := parseAddr(peer)
	return ok && ps.contains(addr)
}

func (ps Proxies) contains(addr netip.Addr) bool {
	return slices.ContainsFunc(ps, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// Client is the address that a request comes from: its peer's or, if that is
// trusted, the nearest one in X-Forwarded-For that is not. Entries before that
// one are the client's own claim. An entry that is no address ends the search
// at the address that added it.
func (ps Proxies) Client(peer string, forwardedFor []string) string {
	client := WithoutPort(peer)
	if !ps.Trust(peer) {
		return client
	}
	hops := strings.Split(strings.Join(forwardedFor, ","), ",")
	for _, hop := range slices.Backward(hops) {
		addr, ok := parseAddr(strings.TrimSpace(hop))
		if !ok {
			break
		}
		if client = addr.String(); !ps.contains(addr) {
			break
		}
	}
	return client
}

// WithoutPort is the address of "host:port", and what is no such pair itself.
func WithoutPort(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

// parseAddr reads an address for comparison: IPv4 in IPv6 is IPv4, and zones
// are dropped.
func parseAddr(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.Trim(WithoutPort(s), "[]"))
	return addr.Unmap().WithZone(""), err == nil
}

// ClientNetwork is what tries and connections of an address are counted for: a
// customer has a whole /64 of IPv6. Text that is no address is returned as it
// is.
func ClientNetwork(from string) string {
	const customer = 64
	addr, ok := parseAddr(from)
	if !ok {
		return from
	}
	if addr.Is6() {
		return netip.PrefixFrom(addr, customer).Masked().String()
	}
	return addr.String()
}
