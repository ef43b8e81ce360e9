package container_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"renga"
	"renga/docker"
	"renga/docker/dockertest"
)

// TestOnlyAppsThatHaveItAttachedReachIt, by no name and by no address.
func TestOnlyAppsThatHaveItAttachedReachIt(t *testing.T) {
	f := newFixture(t)
	owner, other, stranger := f.client.NewDyno(t), f.client.NewDyno(t), f.client.NewDyno(t)
	i := f.made(f.service(), owner.App(), other.App())
	reaches := func(d *docker.Container, at string) bool {
		return d.Run(t.Context(), docker.Program{Argv: []string{"/service", "reach", at}}) == nil
	}
	c := f.container(i)
	names := []string{i.AddOn.Host, c.ID[:12], strings.TrimSuffix(i.AddOn.Host, ".internal")}
	for _, name := range names[:2] {
		if at := name + ":7000"; !reaches(owner.Container, at) {
			t.Errorf("its app does not reach it at %s", at)
		}
	}
	for _, name := range names {
		if at := name + ":7000"; reaches(stranger.Container, at) {
			t.Errorf("another app reaches it at %s", at)
		}
	}
	for _, at := range c.Endpoints {
		if address := netip.AddrPortFrom(at.Addr, 7000).String(); reaches(stranger.Container, address) {
			t.Errorf("another app reaches it at %s", address)
		}
	}
	// The dynos of one app do not reach those of another through a service of both.
	address := netip.AddrPortFrom(other.Addr(other.App().ID), 7000).String()
	if reaches(owner.Container, address) {
		t.Errorf("a dyno reaches one of another app at %s", address)
	}
	forwards := dockertest.Docker(t, "run", "--rm", "--network=container:"+c.ID, "--entrypoint=/service", f.image,
		"print", "/proc/sys/net/ipv4/ip_forward")
	if forwards != "0\n" {
		t.Errorf("the service forwards packets between its networks: %q", forwards)
	}
	if ports := dockertest.Docker(t, "port", c.ID); ports != "" {
		t.Errorf("its ports are published: %s", ports)
	}
}

// TestAnImageDoesNotSayWhatItsContainerIs: its labels are somebody else's.
func TestAnImageDoesNotSayWhatItsContainerIs(t *testing.T) {
	f := newFixture(t)
	i := f.made(f.service())
	c := f.container(i)
	for name, want := range map[string]string{
		"renga.kind": "addon", "renga.platform": f.platform, "renga.app": "", "renga.app-name": "",
		"renga.addon": string(i.AddOn.ID), "renga.addon-app": string(i.AddOn.App),
	} {
		if c.Labels[name] != want {
			t.Errorf("its label %s is %q; want %q", name, c.Labels[name], want)
		}
	}
	if dynos, err := f.docker.List(t.Context(), docker.Dyno); err != nil || len(dynos) != 0 {
		t.Errorf("the dyno manager sees %v, %v", dynos, err)
	}
	if err := f.docker.RemoveAll(t.Context(), docker.Dyno, docker.Label{Key: docker.LabelApp, Value: "victim"}); err != nil {
		t.Error(err)
	}
	f.container(i) // it is there
}

// TestAServiceIsHeldInItsBounds, and shows its secrets to nobody who looks at it
// from outside.
func TestAServiceIsHeldInItsBounds(t *testing.T) {
	f := newFixture(t)
	app := f.client.NewApp(t)
	i := f.made(f.service(), app.App())
	seen := dockertest.Docker(t, "inspect", f.container(i).ID)
	for _, secret := range []renga.Secret{i.AddOn.Admin, i.AddOn.Credentials[0].Password} {
		if strings.Contains(seen, string(secret)) {
			t.Error("a password is in its configuration")
		}
	}
	format := "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.CpuQuota}} {{.HostConfig.PidsLimit}} " +
		"{{.HostConfig.Privileged}} {{.HostConfig.SecurityOpt}} {{.HostConfig.CapDrop}} {{.HostConfig.RestartPolicy.Name}} " +
		"{{.HostConfig.PublishAllPorts}}"
	want := fmt.Sprintf("%d %d 50000 532 false [no-new-privileges] [ALL] no false\n", 64<<20, 64<<20)
	if got := dockertest.Docker(t, "inspect", "--format", format, f.container(i).ID); got != want {
		t.Errorf("it is held to %s; want %s", got, want)
	}
	bridges, err := f.docker.Bridges(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	prefix := f.docker.BridgePrefix()
	if len(bridges) != 1 || slices.ContainsFunc(bridges, func(b string) bool { return !strings.HasPrefix(b, prefix) }) {
		t.Errorf("it is on bridges %v, which the firewall does not know; it knows %s+", bridges, prefix)
	}
	for id := range f.container(i).Endpoints {
		owner := dockertest.Docker(t, "network", "inspect", "--format", `{{index .Labels "renga.platform"}}`, id)
		if owner != f.platform+"\n" {
			t.Errorf("it is in a network of %s", owner)
		}
	}
}
