package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
)

// listenerKind is what is served on a listener.
type listenerKind string

const (
	plainListener   listenerKind = "listen" // each is called as its setting
	tlsListener     listenerKind = "listen-tls"
	metricsListener listenerKind = "metrics-listen"
	bastionListener listenerKind = "bastion-listen"
)

// listener is an open listener.
type listener struct {
	net.Listener
	kind listenerKind
}

// listen takes the ports before anything else is started, so that a taken one
// is found out at once. Those that were left open are taken over; the rest of
// them is closed.
func listen(ctx context.Context, s Settings, left map[string]net.Listener) ([]listener, error) {
	var all []listener
	open := func(kind listenerKind, addresses ...string) error {
		for _, address := range addresses {
			l, err := openListener(ctx, address, left)
			if err != nil {
				return fmt.Errorf("cannot listen on %s: %w; %s", address, err, remedy(err, kind))
			}
			all = append(all, listener{l, kind})
		}
		return nil
	}
	err := open(plainListener, s.Listen...)
	if err == nil {
		err = open(tlsListener, s.ListenTLS...)
	}
	if err == nil {
		err = open(bastionListener, s.BastionListen...)
	}
	if err == nil && s.MetricsListen != "" {
		err = open(metricsListener, s.MetricsListen)
	}
	for _, l := range left {
		err = errors.Join(err, l.Close())
	}
	if err != nil {
		for _, l := range all {
			err = errors.Join(err, l.Close())
		}
		return nil, err
	}
	return all, nil
}

func openListener(ctx context.Context, address string, left map[string]net.Listener) (net.Listener, error) {
	if l, ok := take(left, address); ok {
		return l, nil
	}
	return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
}

// remedy says what to do about a port that could not be taken.
func remedy(err error, kind listenerKind) string {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Sprintf("ports below 1024 need root or the capability CAP_NET_BIND_SERVICE: "+
			"give Renga one of them, or choose another port with --%s", kind)
	}
	return fmt.Sprintf("stop what uses the port, or choose another with --%s", kind)
}

// fronts are the addresses where apps' clients come in, dynos among them.
func fronts(listeners []listener) []netip.AddrPort {
	var all []netip.AddrPort
	for _, l := range listeners {
		if at, ok := l.Addr().(*net.TCPAddr); ok && (l.kind == plainListener || l.kind == tlsListener) {
			all = append(all, at.AddrPort())
		}
	}
	return all
}
