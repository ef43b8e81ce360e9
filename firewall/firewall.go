// Package firewall keeps dynos from this machine and its neighbourhood: they
// reach the internet, the platform's own front, and what the operator allows. It does
// so by iptables rules in chains of its own, one set per platform, which
// Docker's DOCKER-USER and the kernel's INPUT chain lead to. The rules name the
// bridges of the platform's networks and nothing else, so that whatever does not
// come from a dyno never meets them.
//
// They stay when Renga ends, as dynos do; [Firewall.Remove] removes them.
package firewall

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"renga"
)

// checkEvery is how often it is made sure that the rules are there. Whoever
// flushes the tables, as firewalld does when it is reloaded, takes them away.
const checkEvery = 15 * time.Second

// Bridges tells of the bridges that dynos are on.
type Bridges interface {
	// Bridges lists the network interfaces of the platform's networks. It is
	// renga.Forbidden, with the reason, when they are not on this machine.
	Bridges(ctx context.Context) ([]string, error)
}

// Options are a Firewall's settings.
type Options struct {
	// Platform is the platform's id, for which the chains are named.
	Platform string
	// Pattern is what the bridges' names begin with. Bridges that are called
	// otherwise, of older networks, are asked for.
	Pattern string
	// Front is where the platform listens for everybody.
	Front []netip.AddrPort
	// Guarded are the networks that are not the internet, Allowed those that
	// dynos may reach all the same.
	Guarded, Allowed []netip.Prefix
	// Resolvers are the files that name DNS servers, which Docker asks on behalf of
	// a dyno, and from there. Nil means the system's.
	Resolvers []string
	Log       *slog.Logger
}

// Never are the addresses that no operator can allow: link-local ones, where
// clouds hand their machines credentials, and the clouds' other places for that.
var Never = []netip.Prefix{
	// Link-local: AWS, Azure, Google, DigitalOcean, Hetzner, OpenStack.
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba
	netip.MustParsePrefix("192.0.0.192/32"),     // Oracle
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure's wire server
	netip.MustParsePrefix("fe80::/10"),          // link-local
	netip.MustParsePrefix("fd00:ec2::/32"),      // AWS
	netip.MustParsePrefix("fd20:ce::254/128"),   // Google
}

// Firewall keeps the rules of one platform.
type Firewall struct {
	o        Options
	bridges  Bridges
	families []*family

	mu    sync.Mutex // one sets at a time
	fault error      // why the rules are not set; nil when they are
	known []string   // bridges, as they were told last
}

// New makes a firewall, whose rules are not set yet.
func New(o Options, b Bridges) *Firewall {
	if o.Resolvers == nil {
		o.Resolvers = resolvers
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	sum := sha256.Sum256([]byte(o.Platform))
	name := "RENGA-" + hex.EncodeToString(sum[:])[:10]
	return &Firewall{o: o, bridges: b, families: families(name), fault: errNotSet}
}

var errNotSet = renga.Errorf(renga.Unavailable,
	"The rules that keep dynos from this machine are not set yet; wait a moment.")

// Run sets the rules, again when they are lost or wrong, until ctx ends.
func (f *Firewall) Run(ctx context.Context) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		f.Set(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Check says in a sentence why dynos are not kept from this machine; nil when
// they are.
func (f *Firewall) Check(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault
}

// Set makes the rules what they are to be. What keeps it from that is logged,
// once, and told by Check.
func (f *Firewall) Set(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.set(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil && (f.fault == nil || f.fault.Error() != err.Error()) {
		f.o.Log.Warn("dynos are not kept from this machine", "err", err)
	}
	f.fault = err
}

func (f *Firewall) set(ctx context.Context) error {
	bridges, err := f.bridges.Bridges(ctx)
	switch {
	case renga.KindOf(err) == renga.Forbidden:
		return err
	case err == nil:
		f.known = bridges
	}
	var errs []error
	for _, fam := range f.families {
		changed, err := fam.set(ctx, f.interfaces(), f.rules(fam))
		if changed {
			f.o.Log.Info("firewall rules set", "with", fam.restore, "chain", fam.chain)
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, unseen(f.known))...)
}

// interfaces are what iptables calls the bridges: all with the pattern's name,
// and the others one by one.
func (f *Firewall) interfaces() []string {
	all := []string{f.o.Pattern + "+"}
	for _, b := range f.known {
		if !strings.HasPrefix(b, f.o.Pattern) {
			all = append(all, b)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// unseen says that bridges are not where the rules are: Renga is in a network of
// its own, or the engine is.
func unseen(bridges []string) error {
	for _, b := range bridges {
		if _, err := net.InterfaceByName(b); err == nil {
			continue
		}
		return renga.Errorf(renga.Forbidden,
			"Dynos may reach this machine and its neighbours: their network %s is not to be seen from here. "+
				"Run Renga in the host's network, and beside a Docker that is not rootless.", b)
	}
	return nil
}

// Remove removes all that Set made.
func (f *Firewall) Remove(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = errNotSet
	var errs []error
	for _, fam := range f.families {
		errs = append(errs, fam.remove(ctx))
	}
	return errors.Join(errs...)
}

// Text is the rules as the two versions of iptables-restore take them, for
// people.
func (f *Firewall) Text() string {
	var b strings.Builder
	for _, fam := range f.families {
		fmt.Fprintf(&b, "# %s\n%s", fam.restore, fam.script(nil, fam.hooks(f.interfaces()), f.rules(fam)))
	}
	return b.String()
}

// resolvers are the files that Docker takes DNS servers from: the second one
// instead of the first where systemd-resolved runs.
var resolvers = []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}

// nameServers reads them. Those on a loopback address Docker asks from the host.
func (f *Firewall) nameServers() []netip.Addr {
	var all []netip.Addr
	for _, file := range f.o.Resolvers {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // most machines have one of the two
		}
		for line := range strings.Lines(string(content)) {
			words := strings.Fields(line)
			if len(words) < 2 || words[0] != "nameserver" {
				continue
			}
			if addr, err := netip.ParseAddr(words[1]); err == nil && !addr.IsLoopback() {
				all = append(all, addr.WithZone(""))
			}
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}
