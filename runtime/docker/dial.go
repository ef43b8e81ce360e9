package docker

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"renga"
	"renga/docker"
)

// dialTimeout bounds one try to connect from a dyno.
const dialTimeout = 10 * time.Second

// Dial implements [engine.Dialer] from within the container's network
// namespace. Where that cannot be entered, because Renga has not the rights or
// does not see the machine's processes, the dyno's own ports are reached by its
// address, and nothing else is: from here it could be Renga's.
func (e *Engine) Dial(ctx context.Context, id, host string, port uint16) (net.Conn, error) {
	c, err := e.docker.InspectRunning(ctx, id)
	if err != nil {
		return nil, err
	}
	own := c.Addr(renga.AppID(c.Labels[docker.LabelApp])) // in its app's network
	inside, err := enter(c.Pid, c.ID)
	if err != nil {
		return dialOwn(ctx, own, host, port, err)
	}
	defer func() { _ = inside.Close() }() // it was only read
	targets, err := inside.find(ctx, host, own)
	for _, target := range targets {
		var conn net.Conn
		if conn, err = inside.dial(ctx, "tcp", netip.AddrPortFrom(target, port).String()); err == nil {
			return conn, nil
		}
	}
	return nil, unreachable(err)
}

// isItself tells whether a host is the dyno itself, seen from there. 0.0.0.0 is
// what Heroku's CLI says.
func isItself(host string, own netip.Addr) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || host == "localhost" || err == nil && (addr.IsUnspecified() || addr.IsLoopback() || addr == own)
}

// dialOwn reaches the dyno from here. It is for want of a better way, which
// cause tells of.
func dialOwn(ctx context.Context, own netip.Addr, host string, port uint16, cause error) (net.Conn, error) {
	if !own.IsValid() || !isItself(host, own) {
		return nil, &renga.Error{Kind: renga.Unavailable, Err: cause,
			Message: "only the dyno's own ports can be reached, for Renga cannot enter its network: " +
				"it must see the machine's processes and have CAP_SYS_ADMIN and CAP_SYS_PTRACE."}
	}
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", netip.AddrPortFrom(own, port).String())
	if err != nil {
		return nil, &renga.Error{Kind: renga.Unavailable, Err: errors.Join(err, cause),
			Message: unreachable(err).Error() + " Renga cannot enter the dyno's network, " +
				"so what listens on its loopback address only is out of reach."}
	}
	return conn, nil
}

// unreachable says why a port could not be connected to.
func unreachable(err error) error {
	why := err.Error()
	var op *net.OpError
	var name *net.DNSError
	switch {
	case errors.As(err, &name):
		why = name.Err
	case errors.As(err, &op):
		why = op.Err.Error()
	}
	return &renga.Error{Kind: renga.Unavailable, Message: strings.TrimPrefix(why, "connect: ") + ".", Err: err}
}

// nameServer is where Docker's name server listens within every container.
var nameServer = net.JoinHostPort(dnsAddr.String(), strconv.Itoa(53))

// find gives the addresses of a host, as the dyno finds them, the best first.
func (n *namespace) find(ctx context.Context, host string, own netip.Addr) ([]netip.Addr, error) {
	addr, err := netip.ParseAddr(host)
	switch {
	case host == "" || host == "localhost" || err == nil && addr.IsUnspecified():
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback(), own}, nil
	case err == nil:
		return []netip.Addr{addr}, nil
	}
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return n.dial(ctx, network, nameServer)
	}}
	// With the dot at its end a name is whole, and not for the domains that this
	// machine searches.
	return resolver.LookupNetIP(ctx, "ip", strings.TrimSuffix(host, ".")+".")
}
