package firewall

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"renga"
)

// loop is a bridge that there is in every network namespace.
const loop = "lo"

type bridges struct {
	names []string
	err   error
}

func (b *bridges) Bridges(context.Context) ([]string, error) { return b.names, b.err }

// alone puts the rest of the test, and what it executes, into a network
// namespace of its own: its firewall is nobody else's.
func alone(t *testing.T) {
	t.Helper()
	goruntime.LockOSThread() // for ever: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
}

func options(platform string) Options {
	return Options{
		Platform: platform, Pattern: "rg1234567",
		Guarded: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fc00::/7")},
		Front: []netip.AddrPort{
			netip.MustParseAddrPort("[::]:443"), netip.MustParseAddrPort("192.0.2.1:80"),
			netip.MustParseAddrPort("127.0.0.1:5000"),
		},
	}
}

func iptables(t *testing.T, command string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", command).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// rulesOf are the rules of both families.
func rulesOf(t *testing.T) string {
	return iptables(t, "iptables -S && ip6tables -S")
}

func TestRulesAreSetOnceAndAgainWhenTheyAreLost(t *testing.T) {
	alone(t)
	iptables(t, "iptables -N DOCKER-USER && iptables -A FORWARD -j DOCKER-USER && iptables -A INPUT -s 192.0.2.9 -j DROP")
	before := rulesOf(t)
	b := &bridges{names: []string{loop}}
	f, other := New(options("p"), b), New(options("q"), b)
	if err := f.Check(t.Context()); err == nil {
		t.Error("it is said to be set before it is")
	}
	f.Set(t.Context())
	other.Set(t.Context())
	if err := errors.Join(f.Check(t.Context()), other.Check(t.Context())); err != nil {
		t.Fatal(err)
	}
	set, chain := rulesOf(t), f.families[0].chain
	for _, want := range []string{
		"-A DOCKER-USER -i rg1234567+ -j " + chain, "-A DOCKER-USER -i lo -j " + chain,
		"-A INPUT -i rg1234567+ -j " + chain + "-IN",
		"-A FORWARD -i rg1234567+ -j " + chain, // of IPv6, where Docker has no chain
		"-A INPUT -s 192.0.2.9/32 -j DROP",
	} {
		if strings.Count(set, want+"\n") != 1 && !(strings.Contains(want, "INPUT -i") && strings.Count(set, want+"\n") == 2) {
			t.Errorf("not once: %s\n%s", want, set)
		}
	}
	for name, lose := range map[string]string{
		"one rule":        "iptables -D " + chain + "-IN -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
		"a chain's rules": "iptables -F " + chain,
		"the way to it":   "iptables -D INPUT -i lo -j " + chain + "-IN",
		"everything":      "iptables -F && iptables -X " + chain + " && iptables -X " + chain + "-IN",
		"those of IPv6":   "ip6tables -F " + chain + "-IN",
	} {
		iptables(t, lose)
		f.Set(t.Context())
		if err := f.Check(t.Context()); err != nil {
			t.Errorf("without %s: %v", name, err)
		}
		got := rulesOf(t)
		if !strings.Contains(got, "-A INPUT -i lo -j "+chain+"-IN") ||
			strings.Count(got, chain) != strings.Count(set, chain) {
			t.Errorf("without %s it is not as before:\n%s", name, got)
		}
		iptables(t, "iptables -C FORWARD -j DOCKER-USER || iptables -A FORWARD -j DOCKER-USER; "+
			"iptables -C INPUT -s 192.0.2.9 -j DROP || iptables -A INPUT -s 192.0.2.9 -j DROP")
	}
	other.Set(t.Context()) // it went with everything
	b.names = nil
	f.Set(t.Context())
	if got := rulesOf(t); strings.Contains(got, "-i lo -j "+chain) {
		t.Errorf("a bridge that is gone is still named:\n%s", got)
	}
	if err := errors.Join(f.Remove(t.Context()), f.Remove(t.Context()), other.Remove(t.Context())); err != nil {
		t.Error(err)
	}
	if got := rulesOf(t); got != before {
		t.Errorf("left behind:\n%s\nwant\n%s", got, before)
	}
}

func TestWhatKeepsItFromStandingIsSaid(t *testing.T) {
	alone(t)
	path := t.TempDir()
	for _, name := range []string{"iptables-save", "ip6tables-save"} {
		script := "#!/bin/sh\necho 'Fatal: can'\\''t open lock file: Permission denied' >&2\nexit 4\n"
		if err := os.WriteFile(filepath.Join(path, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		what, path, want string
		bridges          bridges
	}{
		{"not root", path, "CAP_NET_ADMIN", bridges{}},
		{"another network", os.Getenv("PATH"), "rg1234567none is not to be seen", bridges{names: []string{"rg1234567none"}}},
		{
			"another machine", os.Getenv("PATH"), "beside Docker",
			bridges{err: renga.Errorf(renga.Forbidden, "Run Renga beside Docker.")},
		},
	} {
		t.Setenv("PATH", c.path)
		f := New(options("p"), &c.bridges)
		f.Set(t.Context())
		err := f.Check(t.Context())
		if renga.KindOf(err) != renga.Forbidden || !strings.Contains(renga.MessageOf(err, ""), c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

func TestAnEngineThatIsAwayLeavesTheRules(t *testing.T) {
	alone(t)
	b := &bridges{names: []string{loop}}
	f := New(options("p"), b)
	f.Set(t.Context())
	before := rulesOf(t)
	b.names, b.err = nil, renga.Errorf(renga.Unavailable, "Docker does not answer.")
	f.Set(t.Context())
	if err := f.Check(t.Context()); err != nil || rulesOf(t) != before {
		t.Errorf("%v\n%s", err, rulesOf(t))
	}
}

func TestRulesOfEachFamily(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	servers := "nameserver 10.9.9.9\nnameserver 127.0.0.53\nnameserver fd00::53\noptions edns0\n"
	if err := os.WriteFile(file, []byte(servers), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options("p")
	o.Resolvers, o.Allowed = []string{file, file + ".none"}, []netip.Prefix{netip.MustParsePrefix("10.1.2.3/16")}
	f := New(o, &bridges{})
	four := f.rules(f.families[0])
	const refuse = " -j REJECT --reject-with icmp-admin-prohibited"
	for chain, want := range map[string][2]string{
		"input": {strings.Join(four.input, "\n"), strings.Join([]string{
			"-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
			"-d 10.9.9.9 -p udp -m udp --dport 53 -j RETURN", "-d 10.9.9.9 -p tcp -m tcp --dport 53 -j RETURN",
			"-d 169.254.0.0/16" + refuse, "-d 100.100.100.200/32" + refuse,
			"-d 192.0.0.192/32" + refuse, "-d 168.63.129.16/32" + refuse,
			"-p tcp -m tcp --dport 443 -j RETURN", "-d 192.0.2.1 -p tcp -m tcp --dport 80 -j RETURN",
			"-d 10.1.0.0/16 -j RETURN", refuse[1:],
		}, "\n")},
		"the end of forward": {
			strings.Join(four.forward[7:], "\n"),
			"-o rg1234567+ -j RETURN\n-d 10.1.0.0/16 -j RETURN\n-d 10.0.0.0/8" + refuse,
		},
	} {
		if want[0] != want[1] {
			t.Errorf("%s:\n%s\nwant\n%s", chain, want[0], want[1])
		}
	}
	six := strings.Join(f.rules(f.families[1]).input, "\n")
	if !strings.Contains(six, "-d fd00::53 -p udp") || !strings.Contains(six, "-p tcp -m tcp --dport 443") ||
		strings.Contains(six, "10.") || strings.Contains(six, "192.0.2.1") {
		t.Errorf("of IPv6:\n%s", six)
	}
}
