package renga_test

import (
	"net/netip"
	"testing"

	"renga"
)

func TestTheClientIsTheNearestAddressThatIsNoProxy(t *testing.T) {
	proxies := renga.Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"203.0.113.9:4000", nil, "203.0.113.9"},
		{"203.0.113.9:4000", []string{"1.2.3.4"}, "203.0.113.9"},
		{"10.0.0.1:4000", nil, "10.0.0.1"},
		{"10.0.0.1:4000", []string{"1.2.3.4"}, "1.2.3.4"},
		{"10.0.0.1:4000", []string{"6.6.6.6, 1.2.3.4, 10.9.9.9"}, "1.2.3.4"},
		{"10.0.0.1:4000", []string{"6.6.6.6", "1.2.3.4"}, "1.2.3.4"},
		{"10.0.0.1:4000", []string{"10.0.0.7, 10.0.0.8"}, "10.0.0.7"},
		{"10.0.0.1:4000", []string{"1.2.3.4, unknown, 10.0.0.8"}, "10.0.0.8"},
		{"10.0.0.1:4000", []string{"1.2.3.4:5678"}, "1.2.3.4"},
		{"[::ffff:10.0.0.1]:4000", []string{"[2001:db8::1]:99"}, "2001:db8::1"},
		{"[fd00::1%eth0]:4000", []string{"2001:db8::1"}, "2001:db8::1"},
		{"@", []string{"1.2.3.4"}, "@"},
	} {
		if got := proxies.Client(c.peer, c.forwarded); got != c.want {
			t.Errorf("from %s, forwarded for %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
	if (renga.Proxies{}).Trust("10.0.0.1:1") {
		t.Error("nobody is named, and somebody is trusted")
	}
}

func TestACustomerOfIPv6IsOneNetwork(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "192.0.2.7:80": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"[2001:db8:1:2::1]:80": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "nonsense": "nonsense", "": "",
	} {
		if got := renga.ClientNetwork(from); got != want {
			t.Errorf("%q is in %q, want %q", from, got, want)
		}
	}
}
