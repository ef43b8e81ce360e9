package e2e_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"renga/children"
	"renga/e2e"
)

// TestADynoReachesTheInternetAndTheFrontOnly has a dyno ask all that is around
// it: this machine on each kind of its addresses, the router, another app's
// dyno, and a neighbour of this machine that has a private, a link-local and a
// public address.
func TestADynoReachesTheInternetAndTheFrontOnly(t *testing.T) {
	s := newStory(t)
	near, metadata := s.newNeighbour(), s.linkLocal("lo")
	machine, front := onEveryAddress(t), fmt.Sprint(10000+rand.IntN(9000))
	s.start("--listen=" + s.w.Addr + ",0.0.0.0:" + front)
	for _, app := range []string{"hello", "neighbour"} {
		s.push(app, app)
		s.up(app, app)
	}
	const gatewayFormat = "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}"
	gateway, other := s.inspected("hello", gatewayFormat), s.inspected("neighbour", gatewayFormat)
	dyno := s.inspected("neighbour", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")

	for what, addr := range map[string]string{
		"this machine at the dyno's gateway":     gateway + ":" + machine,
		"this machine at another app's gateway":  other + ":" + machine,
		"this machine at Docker's own bridge":    s.bridgeOfDocker() + ":" + machine,
		"this machine at an address of metadata": metadata + ":" + machine,
		"the front at an address of metadata":    metadata + ":" + front,
		"another app's dyno":                     dyno + ":8080",
		"a neighbour at a private address":       near.private + ":8080",
		"a neighbour at an address of metadata":  near.metadata + ":8080",
	} {
		s.reaches("hello", what, addr, "", "not reached:")
	}
	s.reaches("hello", "the internet", near.public+":8080", "", "reached: hello from")
	s.reaches("hello", "the front at its gateway", gateway+":"+front, "neighbour."+s.w.Domain, "reached: hello from neighbour")
	answer, err := s.w.Do(t.Context(), e2e.Request{Path: "/healthz"})
	if err != nil || !strings.Contains(string(answer.Body), `"firewall":"ok"`) {
		t.Errorf("/healthz: %s, %v", answer.Body, err)
	}

	// Rules that somebody flushed come back.
	chain := s.chain()
	run(t, "iptables", "--wait", "-F", chain+"-IN")
	s.poll(func() error { return s.reach("hello", gateway+":"+machine, "", "not reached:") })
}

// TestTheOperatorAllowsNetworksToDynos, but no link-local ones.
func TestTheOperatorAllowsNetworksToDynos(t *testing.T) {
	s := newStory(t)
	near := s.newNeighbour()
	machine := onEveryAddress(t)
	s.start("--dyno-egress-allow=" + near.private + "/32,0.0.0.0/1")
	s.push("hello", "v1")
	s.up("hello", "v1")
	gateway := s.inspected("hello", "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}")
	s.reaches("hello", "a private address", near.private+":8080", "", "reached: hello from")
	s.reaches("hello", "this machine", gateway+":"+machine, "", "reached: here")
	s.reaches("hello", "an address of metadata", near.metadata+":8080", "", "not reached:")

	chain := s.chain()
	s.must(s.w.Stop())
	s.refusesToServe("--dyno-egress-allow: 169.254.1.0/24 is link-local", "--dyno-egress-allow=169.254.1.0/24")
	if rules := run(t, "iptables-save"); !strings.Contains(rules, chain) {
		t.Error("the rules went with the platform, and the dynos run on")
	}
	_, said, err := s.w.Run(s.Context(), "firewall", "--uninstall")
	if err != nil {
		t.Fatal(said)
	}
	for _, save := range []string{"iptables-save", "ip6tables-save"} {
		if rules := run(t, save); strings.Contains(rules, chain) {
			t.Errorf("%s still tells of %s", save, chain)
		}
	}
}

// reaches fails unless the app's dyno is answered that at an address.
func (s *story) reaches(app, what, addr, host, want string) {
	s.Helper()
	if err := s.reach(app, addr, host, want); err != nil {
		s.Errorf("%s: %v", what, err)
	}
}

func (s *story) reach(app, addr, host, want string) error {
	answer, err := s.w.Get(s.Context(), app, "/reach?"+url.Values{"addr": {addr}, "host": {host}}.Encode())
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(answer.Body), want) {
		return fmt.Errorf("%s: %q, want %q", addr, answer.Body, want)
	}
	return nil
}

// inspected asks Docker something of the app's only dyno.
func (s *story) inspected(app, format string) string {
	s.Helper()
	out, err := s.w.Docker(s.Context(), "inspect", "--format", format, s.runs(app, "web.1 v2")[0])
	s.must(err)
	return strings.TrimSpace(out)
}

func (s *story) bridgeOfDocker() string {
	s.Helper()
	out, err := s.w.Docker(s.Context(), "network", "inspect", "--format", "{{range .IPAM.Config}}{{.Gateway}}{{end}}", "bridge")
	s.must(err)
	return strings.TrimSpace(out)
}

// chain is what the platform calls its rules.
func (s *story) chain() string {
	s.Helper()
	out, said, err := s.w.Run(s.Context(), "firewall")
	if err != nil {
		s.Fatal(said)
	}
	return regexp.MustCompile(`RENGA-[0-9a-f]+`).FindString(out)
}

// onEveryAddress listens on all of this machine's addresses and says "here".
func onEveryAddress(t *testing.T) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "here\n")
	}))
	_ = server.Listener.Close() // another takes its place
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	_, port, _ = net.SplitHostPort(l.Addr().String()) // a listener's is right
	return port
}

// linkLocal gives an interface of this machine an address as metadata services
// have.
func (s *story) linkLocal(device string) string {
	s.Helper()
	ip := fmt.Sprintf("169.254.%d.%d", rand.IntN(256), 1+rand.IntN(250))
	del := []string{"address", "del", ip + "/32", "dev", device}
	s.must(s.w.Undo(append([]string{"ip"}, del...)...))
	run(s.T, "ip", "address", "add", ip+"/32", "dev", device)
	s.Cleanup(func() { run(s.T, "ip", del...) })
	return ip
}

// neighbour is another machine, so to say, that serves the test's app on port
// 8080 of three addresses: a network namespace behind this one.
type neighbour struct{ private, metadata, public string }

func (s *story) newNeighbour() neighbour {
	t := s.T
	s.Helper()
	n := rand.IntN(1 << 15) // below the networks of apps
	space, here, there := fmt.Sprintf("renga%04x", n), fmt.Sprintf("rnga%04x", n), fmt.Sprintf("rngb%04x", n)
	ip := func(pattern string) string { return fmt.Sprintf(pattern, n>>8, n&0xff) }
	near := neighbour{private: ip("10.%d.%d.2"), metadata: ip("169.254.%d.%d"), public: fmt.Sprintf("203.0.113.%d", n&0xff)}
	s.must(s.w.Undo("ip", "netns", "del", space))
	s.must(s.w.Undo("ip", "link", "del", here))
	run(t, "ip", "netns", "add", space)
	t.Cleanup(func() { run(t, "ip", "netns", "del", space) })
	run(t, "ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", space)
	run(t, "ip", "address", "add", ip("10.%d.%d.1")+"/30", "dev", here)
	run(t, "ip", "link", "set", here, "up")
	for _, step := range []string{
		"link set lo up", "link set " + there + " up", "address add " + near.private + "/30 dev " + there,
		"address add " + near.metadata + "/32 dev " + there, "address add " + near.public + "/32 dev " + there,
		"route add default via " + ip("10.%d.%d.1"),
	} {
		run(t, "ip", append([]string{"-n", space}, strings.Fields(step)...)...)
	}
	for _, addr := range []string{near.metadata, near.public} {
		run(t, "ip", "route", "add", addr+"/32", "via", near.private)
	}
	serve := exec.Command("ip", "netns", "exec", space, kit.App, "serve")
	serve.Env = []string{"PORT=8080"}
	if err := children.Start(serve, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = serve.Process.Kill() // it runs until then
		_ = serve.Wait()         // it was killed
	})
	if err := e2e.Poll(t.Context(), func() error {
		answer, err := http.Get("http://" + near.private + ":8080/")
		if err == nil {
			_ = answer.Body.Close() // that it answers is enough
		}
		return err
	}); err != nil {
		t.Fatalf("the neighbour: %v", err)
	}
	return near
}

func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %q: %v\n%s", program, args, err, out)
	}
	return string(out)
}
