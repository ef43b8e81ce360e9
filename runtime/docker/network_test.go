package docker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/network"

	"renga"
	"renga/docker"
	"renga/runtime/engine"
)

func TestStartsAtOnceMakeOneNetworkPerApp(t *testing.T) {
	w := newFixture(t)
	one, two := w.spec("exit"), w.spec("exit")
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			if _, err := w.engine.Start(t.Context(), again([]engine.Spec{one, two}[i%2])); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	found := w.networks(w.options.Platform)
	var apps, subnets []string
	for _, n := range found {
		apps = append(apps, n.Labels["renga.app"])
		subnets = append(subnets, n.IPAM.Config[0].Subnet)
	}
	slices.Sort(apps)
	want := []string{string(one.App), string(two.App)}
	slices.Sort(want)
	if !slices.Equal(apps, want) || subnets[0] == subnets[1] {
		t.Errorf("networks of %v with subnets %v; want one of each of %v", apps, subnets, want)
	}
	for _, s := range subnets {
		if !netip.MustParsePrefix(docker.DefaultNetworkPool).Overlaps(netip.MustParsePrefix(s)) {
			t.Errorf("subnet %s is not of the pool", s)
		}
	}
}

// TestAStartThatIsBrokenOffLeavesOneNetwork: wherever it is, another that begins
// at once finds the same.
func TestAStartThatIsBrokenOffLeavesOneNetwork(t *testing.T) {
	w := newFixture(t)
	for delay := range 3 {
		s := w.spec("exit")
		ctx, breakOff := context.WithCancel(t.Context())
		var first sync.WaitGroup
		first.Go(func() { _, _ = w.engine.Start(ctx, s) })       // it may have been done by then
		time.Sleep(time.Duration(delay) * 20 * time.Millisecond) // the moment is what is tried; it orders nothing
		breakOff()
		w.start(again(s))
		first.Wait()
		others := func(n network.Summary) bool { return n.Labels["renga.app"] != string(s.App) }
		found := slices.DeleteFunc(w.networks(w.options.Platform), others)
		if len(found) != 1 {
			t.Errorf("broken off after %d ms: %d networks", delay*20, len(found))
		}
	}
}

// TestASecondNetworkIsRemoved, which a Renga left that was killed while it was
// being made.
func TestASecondNetworkIsRemoved(t *testing.T) {
	w := newFixture(t)
	s := w.spec("exit")
	w.start(s)
	own := w.networks(w.options.Platform)[0]
	body, err := json.Marshal(map[string]any{ // without CheckDuplicate, which the client always asks for
		"Name": own.Name, "Driver": "bridge", "Labels": own.Labels,
		"IPAM": network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.239.255.0/24"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	res, err := w.raw.HTTPClient().Post("http://docker/networks/create", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || len(w.networks(w.options.Platform)) != 2 {
		t.Fatalf("no second network: %s, %v", res.Status, err)
	}
	w.start(again(s))
	if left := w.networks(w.options.Platform); len(left) != 1 || left[0].ID != own.ID {
		t.Errorf("left: %+v, want %s", left, own.ID)
	}
}

func TestAppsReachTheirOwnDynosAndNoOthers(t *testing.T) {
	w := newFixture(t)
	mine, other := w.spec("serve"), w.spec()
	web := w.start(mine)
	until(t, "it listens", func() bool {
		ports, err := w.engine.Ports(t.Context(), web.ID)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(ports, "[::]:8080")
	})
	for _, c := range []struct {
		from engine.Spec
		want string
	}{
		{again(mine, "reach", web.Addr), "reached"},
		{again(other, "reach", web.Addr), "not reached"},
	} {
		in := w.exited(c.from.App, w.start(c.from).ID)
		lines, err := w.engine.Tail(t.Context(), in.ID, 1)
		if err != nil || !slices.Equal(lines, []string{c.want}) {
			t.Errorf("%q, %v; want %s", lines, err, c.want)
		}
	}
}

func TestForgetRemovesTheNetworkOnceItIsEmpty(t *testing.T) {
	w := newFixture(t)
	s := w.spec("exit")
	in := w.start(s)
	for _, want := range []int{1, 0, 0} {
		if err := w.engine.Forget(t.Context(), s.App); err != nil {
			t.Fatal(err)
		}
		if n := len(w.networks(w.options.Platform)); n != want {
			t.Errorf("%d networks; want %d", n, want)
		}
		if err := w.engine.Stop(t.Context(), in.ID, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.engine.Forget(t.Context(), ""); err == nil {
		t.Error("forget of no app would forget all, and is no error")
	}
}

// pools that nobody else on the machine uses.
const (
	smallPool = "10.199.250.0/24"
	evenPool  = "10.199.252.0/23"
)

func TestExhaustedPoolIsToldWithWhatToDo(t *testing.T) {
	w := newFixture(t, func(o *options) { o.NetworkPool = smallPool })
	w.start(w.spec("exit"))
	_, err := w.engine.Start(t.Context(), w.spec("exit"))
	if renga.KindOf(err) != renga.Unavailable || !strings.Contains(renga.MessageOf(err, ""), smallPool) {
		t.Errorf("error %v of kind %q; want one that names the pool", err, renga.KindOf(err))
	}
	if left := w.containers(w.options.Platform); len(left) != 1 {
		t.Errorf("%d containers; want the first dyno's", len(left))
	}
}

func TestSubnetsInUseByOthersAreSkipped(t *testing.T) {
	w := newFixture(t, func(o *options) { o.NetworkPool = evenPool })
	made, err := w.raw.NetworkCreate(t.Context(), "foreign-"+w.options.Platform, network.CreateOptions{
		Driver: "bridge", IPAM: &network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.199.252.64/26"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.raw.NetworkRemove(context.Background(), made.ID); err != nil {
			t.Error(err)
		}
	})
	w.start(w.spec("exit"))
	if got := w.networks(w.options.Platform)[0].IPAM.Config[0].Subnet; got != "10.199.253.0/24" {
		t.Errorf("subnet %s; the first of the pool is taken in part", got)
	}
}
