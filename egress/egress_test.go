package egress_test

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"renga"
	"renga/egress"
)

func TestOnlyThePublicInternetIsOpen(t *testing.T) {
	p := egress.New(nil)
	for ip, open := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "172.32.0.1": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "127.9.9.9": false, "::1": false, "::": false, "0.0.0.0": false, "::ffff:127.0.0.1": false,
		"10.1.2.3": false, "172.17.0.1": false, "192.168.0.1": false, "100.64.0.1": false, "169.254.169.254": false,
		"fe80::1%eth0": false, "fd00::1": false, "64:ff9b::7f00:1": false, "::ffff:0:7f00:1": false, "::127.0.0.1": false,
		"64:ff9b::808:808": false, "2002:7f00:1::": false, "224.0.0.1": false, "255.255.255.255": false,
	} {
		err := p.Check(netip.MustParseAddr(ip))
		if (err == nil) != open {
			t.Errorf("%s: error is %v, open should be %v", ip, err, open)
		}
		if err != nil && (renga.KindOf(err) != renga.Forbidden || !strings.Contains(err.Error(), "--egress-allow")) {
			t.Errorf("%s: error is %v, want one that names the setting", ip, err)
		}
	}
}

func TestTheAddressDialledIsWhatCounts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	byName := net.JoinHostPort("localhost", port)
	if conn, err := egress.New(nil).Dial(t.Context(), "tcp", byName); renga.KindOf(err) != renga.Forbidden {
		t.Errorf("connected to %v, error %v", conn, err)
	}
	loopback := egress.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	conn, err := loopback.Dial(t.Context(), "tcp4", byName)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheMachinesOwnPublicAddressesAreGuarded(t *testing.T) {
	own := []string{"203.0.113.7/24", "2001:db8::7/64"}
	var broken error
	p := egress.On(func() ([]net.Addr, error) {
		var all []net.Addr
		for _, text := range own {
			ip, network, err := net.ParseCIDR(text)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, &net.IPNet{IP: ip, Mask: network.Mask})
		}
		return all, broken
	})
	for ip, open := range map[string]bool{
		"203.0.113.7": false, "::ffff:203.0.113.7": false, "2001:db8::7": false, "203.0.113.8": true, "2001:db8::8": true,
	} {
		if err := p.Check(netip.MustParseAddr(ip)); (err == nil) != open ||
			err != nil && renga.KindOf(err) != renga.Forbidden {
			t.Errorf("%s: error is %v, open should be %v", ip, err, open)
		}
	}
	own = []string{"203.0.113.8/24"} // the machine was given another one
	if p.Check(netip.MustParseAddr("203.0.113.8")) == nil || p.Check(netip.MustParseAddr("203.0.113.7")) != nil {
		t.Error("the addresses are not looked up anew")
	}
	broken = errors.New("no netlink")
	if p.Check(netip.MustParseAddr("8.8.8.8")) == nil {
		t.Error("an address passes that nobody could compare")
	}
}

func TestEveryAddressOfThisMachineIsGuarded(t *testing.T) {
	addrs, err := net.InterfaceAddrs()
	if err != nil || len(addrs) == 0 {
		t.Fatal(addrs, err)
	}
	for _, a := range addrs {
		ip, ok := netip.AddrFromSlice(a.(*net.IPNet).IP)
		if !ok || egress.New(nil).Check(ip) == nil {
			t.Errorf("%s is open", a)
		}
	}
}
