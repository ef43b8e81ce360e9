package docker

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"renga"
)

// subnetBits is the size of an app's network: 256 addresses.
const subnetBits = 24

// parsePool reads Options.NetworkPool.
func parsePool(s string) (netip.Prefix, error) {
	if s == "" {
		s = DefaultNetworkPool
	}
	pool, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return netip.Prefix{}, renga.Errorf(renga.Invalid,
			"Network pool %q is no CIDR; it is written like %s.", s, DefaultNetworkPool)
	case !pool.Addr().Is4() || pool.Bits() > subnetBits:
		return netip.Prefix{}, renga.Errorf(renga.Invalid,
			"Network pool %s is too small or not IPv4; it must hold at least one /%d, like %s.",
			s, subnetBits, DefaultNetworkPool)
	}
	return pool.Masked(), nil
}

// freeSubnet is the lowest /24 of pool that overlaps with none of used.
func freeSubnet(pool netip.Prefix, used []netip.Prefix) (netip.Prefix, bool) {
	first := binary.BigEndian.Uint32(pool.Addr().AsSlice())
	count := uint32(1) << (subnetBits - pool.Bits())
	for i := range count {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], first+i<<(32-subnetBits))
		subnet := netip.PrefixFrom(netip.AddrFrom4(b), subnetBits)
		if !overlapsAny(subnet, used) {
			return subnet, true
		}
	}
	return netip.Prefix{}, false
}

func overlapsAny(p netip.Prefix, used []netip.Prefix) bool {
	for _, u := range used {
		if p.Overlaps(u) {
			return true
		}
	}
	return false
}

// hostSubnets are the networks that this machine has a route to or an address
// in; an app's network of the same numbers would cut it off from them. It is
// best effort: in a container of its own Renga does not see them, and then
// Docker's own check is the only one.
func hostSubnets() []netip.Prefix {
	var used []netip.Prefix
	addrs, err := net.InterfaceAddrs()
	if err == nil {
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				used = append(used, p.Masked())
			}
		}
	}
	routes, err := os.Open("/proc/net/route")
	if err != nil {
		return used
	}
	defer func() { _ = routes.Close() }() // only read
	more, err := parseRoutes(routes)
	if err != nil {
		return used
	}
	return append(used, more...)
}

// parseRoutes reads /proc/net/route: a heading, then per line an interface, the
// destination and, in the eighth column, the mask, both as hexadecimal numbers
// in the machine's byte order. The default route is left out.
func parseRoutes(r io.Reader) ([]netip.Prefix, error) {
	var used []netip.Prefix
	lines := bufio.NewScanner(r)
	for first := true; lines.Scan(); first = false {
		fields := strings.Fields(lines.Text())
		if first || len(fields) < 8 {
			continue
		}
		dest, err := strconv.ParseUint(fields[1], 16, 32)
		if err != nil {
			return nil, fmt.Errorf("route %q: %w", fields[1], err)
		}
		mask, err := strconv.ParseUint(fields[7], 16, 32)
		if err != nil {
			return nil, fmt.Errorf("route mask %q: %w", fields[7], err)
		}
		if p, ok := routePrefix(uint32(dest), uint32(mask)); ok {
			used = append(used, p)
		}
	}
	return used, lines.Err()
}

func routePrefix(dest, mask uint32) (netip.Prefix, bool) {
	var d, m [4]byte
	binary.NativeEndian.PutUint32(d[:], dest)
	binary.NativeEndian.PutUint32(m[:], mask)
	ones, bits := net.IPMask(m[:]).Size()
	if ones == 0 || bits == 0 {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(netip.AddrFrom4(d), ones).Masked(), true
}
