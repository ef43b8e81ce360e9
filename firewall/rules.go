package firewall

import (
	"fmt"
	"net/netip"
	"slices"
)

// rules are the rules of the two chains, in order. What they let pass goes on in
// the chain that they were called from, and so past the operator's own rules.
type rules struct {
	// forward is for what leaves the machine, or goes to another bridge of it.
	forward []string
	// input is for what is meant for the machine itself.
	input []string
}

// rules are those of one family of addresses.
func (f *Firewall) rules(fam *family) rules {
	const pass = " -j RETURN"
	refuse := " -j REJECT --reject-with " + fam.refusal
	// The router's requests and their answers are one connection.
	first := []string{"-m conntrack --ctstate RELATED,ESTABLISHED" + pass}
	for _, server := range f.nameServers() {
		if server.Is4() != fam.is4 {
			continue
		}
		for _, protocol := range []string{"udp", "tcp"} {
			first = append(first, fmt.Sprintf("-d %s -p %s -m %s --dport 53%s", server, protocol, protocol, pass))
		}
	}
	if !fam.is4 { // who is my neighbour, and where is the router
		for _, kind := range []string{"133", "135", "136"} {
			first = append(first, "-p ipv6-icmp -m icmp6 --icmpv6-type "+kind+pass)
		}
	}
	first = append(first, towards(fam, Never, refuse)...)

	r := rules{input: slices.Clone(first), forward: slices.Clone(first)}
	for _, at := range f.o.Front {
		r.input = append(r.input, door(fam, at, pass)...)
	}
	r.input = append(r.input, towards(fam, f.o.Allowed, pass)...)
	r.input = append(r.input, refuse[1:])

	// Dynos of one app share a bridge. Docker keeps bridges apart from each other.
	for _, bridge := range f.interfaces() {
		r.forward = append(r.forward, "-o "+bridge+pass)
	}
	r.forward = append(r.forward, towards(fam, f.o.Allowed, pass)...)
	r.forward = append(r.forward, towards(fam, f.o.Guarded, refuse)...)
	return r
}

// towards is a rule for each of the networks that is of the family.
func towards(fam *family, networks []netip.Prefix, then string) []string {
	var all []string
	for _, n := range networks {
		if n.Addr().Is4() == fam.is4 {
			all = append(all, "-d "+n.Masked().String()+then)
		}
	}
	return all
}

// door lets through to where the platform listens, on one address or all. From
// outside nobody comes to a loopback address.
func door(fam *family, at netip.AddrPort, then string) []string {
	ip := at.Addr().Unmap()
	rule := fmt.Sprintf("-p tcp -m tcp --dport %d%s", at.Port(), then)
	switch {
	case ip.IsLoopback():
		return nil
	case ip == netip.IPv6Unspecified(), ip.IsUnspecified() && fam.is4:
		return []string{rule}
	case ip.IsUnspecified(), ip.Is4() != fam.is4:
		return nil
	}
	return []string{"-d " + ip.WithZone("").String() + " " + rule}
}
