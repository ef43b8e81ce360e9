package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"

	"renga/docker"
	"renga/egress"
	"renga/firewall"
)

// newFirewall makes what keeps the platform's dynos from this machine.
func newFirewall(
	s Settings, platform string, front []netip.AddrPort, log *slog.Logger, containers *docker.Client,
) *firewall.Firewall {
	return firewall.New(firewall.Options{
		Platform: platform, Pattern: containers.BridgePrefix(), Front: front,
		Guarded: egress.Guarded(), Allowed: s.DynoEgressAllow, Log: log,
	}, containers)
}

// showFirewall prints the firewall rules, or removes them. Setting them is up to
// the platform, at its start and whenever they are lost.
func showFirewall(ctx context.Context, p *program, args []string) error {
	var uninstall bool
	s, _, err := p.parseSettings("firewall", args, func(f *flag.FlagSet) {
		f.BoolVar(&uninstall, "uninstall", false, "remove them from this machine")
	})
	if err != nil {
		return err
	}
	if s, err = s.asServed(); err != nil {
		return err
	}
	platform, err := loadJSON[platformFile](s.path("platform.json"))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("no platform has been started on %s yet: run `renga serve`, or name its data directory with --data", s.Data)
	}
	if err != nil {
		return err
	}
	containers, err := docker.New(docker.Options{Host: s.DockerHost, Platform: platform.ID})
	if err != nil {
		return err
	}
	f := newFirewall(s, platform.ID, configuredFronts(s), slog.New(slog.DiscardHandler), containers)
	if !uninstall {
		_, err = fmt.Fprint(p.out, f.Text())
		return err
	}
	if err := f.Remove(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.out, "Nothing keeps dynos from this machine any more; a running platform sets the rules again.")
	return err
}

// configuredFronts is fronts for a platform that may not run.
func configuredFronts(s Settings) []netip.AddrPort {
	var all []netip.AddrPort
	for _, address := range append(append([]string{}, s.Listen...), s.ListenTLS...) {
		if at, err := net.ResolveTCPAddr("tcp", address); err == nil {
			ip := at.AddrPort()
			if !ip.Addr().IsValid() { // every address
				ip = netip.AddrPortFrom(netip.IPv6Unspecified(), ip.Port())
			}
			all = append(all, ip)
		}
	}
	return all
}
