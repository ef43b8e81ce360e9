package docker

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func prefixes(list ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

func TestFreeSubnetIsTheLowestThatNobodyUses(t *testing.T) {
	for _, c := range []struct {
		pool, want string
		used       []netip.Prefix
	}{
		{"10.224.0.0/12", "10.224.0.0/24", nil},
		{"10.224.0.0/12", "10.224.2.0/24", prefixes("10.224.0.0/24", "10.224.1.0/24", "172.17.0.0/16")},
		{"10.224.0.0/12", "10.225.0.0/24", prefixes("10.224.0.0/16")},
		{"10.224.0.0/12", "10.224.1.0/24", prefixes("10.224.0.77/32", "fd00::/8")},
		{"10.224.0.0/23", "", prefixes("10.224.0.0/24", "10.224.1.128/25")},
		{"10.224.0.0/12", "", prefixes("10.0.0.0/8")},
		{"255.255.254.0/23", "255.255.255.0/24", prefixes("255.255.254.0/24")},
	} {
		got, ok := freeSubnet(netip.MustParsePrefix(c.pool), c.used)
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("of %s without %v: %v, %v; want %s", c.pool, c.used, got, ok, c.want)
		}
	}
}

func TestFreeSubnetsNeverOverlapUntilThePoolIsUsedUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(16, 24).Draw(t, "bits")
		pool := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 224, 0, 0}), bits)
		var used []netip.Prefix
		for {
			next, ok := freeSubnet(pool, used)
			if !ok {
				break
			}
			if !pool.Contains(next.Addr()) || overlapsAny(next, used) {
				t.Fatalf("%v is not of %v or overlaps", next, pool)
			}
			used = append(used, next)
		}
		if len(used) != 1<<(24-bits) {
			t.Fatalf("%d subnets of %v", len(used), pool)
		}
	})
}

const routeTable = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
docker0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
`

func TestRoutesAreReadWithoutTheDefaultOne(t *testing.T) {
	got, err := parseRoutes(strings.NewReader(routeTable))
	if err != nil || !slices.Equal(got, prefixes("172.17.0.0/16", "192.0.2.0/24")) {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzParseRoutes(f *testing.F) {
	f.Add(routeTable)
	f.Add("Iface\nx 1 2 3 4 5 6 FFFFFFFF\n")
	f.Add("\n\nx zz 2 3 4 5 6 7")
	f.Fuzz(func(t *testing.T, table string) {
		routes, err := parseRoutes(strings.NewReader(table))
		if err != nil && routes != nil {
			t.Error("an error and routes")
		}
		for _, r := range routes {
			if !r.IsValid() || r.Bits() == 0 || r != r.Masked() {
				t.Errorf("%v is no network", r)
			}
		}
	})
}
