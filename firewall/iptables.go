package firewall

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"renga"
)

// callTimeout bounds one call of a command. It includes the wait for others who
// change the tables.
const callTimeout = 15 * time.Second

// family is one of the two versions of IP, with a firewall of its own. All
// changes are made by iptables-restore, for that takes many as one: either all
// of them hold or none, and no packet meets a half of them.
type family struct {
	is4              bool
	save, restore    string // commands
	refusal          string // what a dyno is answered
	chain            string // of what is forwarded; chain and "-IN" of what comes in
	installed, asked string // what iptables made of the rules last set, and the rules
}

func families(chain string) []*family {
	return []*family{
		{is4: true, save: "iptables-save", restore: "iptables-restore", refusal: "icmp-admin-prohibited", chain: chain},
		{save: "ip6tables-save", restore: "ip6tables-restore", refusal: "icmp6-adm-prohibited", chain: chain},
	}
}

func (f *family) inputChain() string { return f.chain + "-IN" }

// set makes the rules what they are to be, and tells whether they were not.
func (f *family) set(ctx context.Context, interfaces []string, r rules) (changed bool, err error) {
	if !f.is4 && !hasIPv6() {
		return false, nil
	}
	t, err := f.look(ctx)
	if err != nil {
		return false, err
	}
	hooks := f.hooksIn(t, interfaces)
	asked := f.script(nil, hooks, r)
	if f.installed != "" && t.ours() == f.installed && asked == f.asked {
		return false, nil
	}
	if err := f.apply(ctx, f.script(t.hooks, hooks, r)); err != nil {
		return false, err
	}
	if t, err = f.look(ctx); err != nil {
		return true, err
	}
	f.installed, f.asked = t.ours(), asked
	return true, nil
}

// remove removes the chains and what leads to them.
func (f *family) remove(ctx context.Context) error {
	f.installed, f.asked = "", ""
	if !f.is4 && !hasIPv6() {
		return nil
	}
	t, err := f.look(ctx)
	if err != nil || t.ours() == "" {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "*filter\n:%s - [0:0]\n:%s - [0:0]\n", f.chain, f.inputChain())
	for _, hook := range t.hooks {
		fmt.Fprintf(&b, "-D %s\n", hook)
	}
	fmt.Fprintf(&b, "-X %s\n-X %s\nCOMMIT\n", f.chain, f.inputChain())
	return f.apply(ctx, b.String())
}

// hooks are the rules that lead to the chains, where Docker has its usual ones.
func (f *family) hooks(interfaces []string) []string {
	return f.hooksIn(table{user: true}, interfaces)
}

// hooksIn are they for a table as it was found. Docker calls DOCKER-USER before
// all chains of its own, and keeps what is in it; where it makes no rules, or
// none for IPv6, there is FORWARD itself.
func (f *family) hooksIn(t table, interfaces []string) []string {
	from := "FORWARD"
	if t.user {
		from = "DOCKER-USER"
	}
	var all []string
	for _, name := range interfaces {
		all = append(all,
			fmt.Sprintf("%s -i %s -j %s", from, name, f.chain),
			fmt.Sprintf("INPUT -i %s -j %s", name, f.inputChain()))
	}
	return all
}

// script has the chains hold just these rules, and just these hooks lead to
// them, each before all else that is in its chain.
func (f *family) script(old, hooks []string, r rules) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*filter\n:%s - [0:0]\n:%s - [0:0]\n", f.chain, f.inputChain())
	for _, rule := range r.forward {
		fmt.Fprintf(&b, "-A %s %s\n", f.chain, rule)
	}
	for _, rule := range r.input {
		fmt.Fprintf(&b, "-A %s %s\n", f.inputChain(), rule)
	}
	for _, hook := range old {
		fmt.Fprintf(&b, "-D %s\n", hook)
	}
	for _, hook := range hooks {
		chain, rest, _ := strings.Cut(hook, " ")
		fmt.Fprintf(&b, "-I %s 1 %s\n", chain, rest)
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

// table is what matters of the filter table.
type table struct {
	user  bool     // there is a chain DOCKER-USER
	hooks []string // rules of other chains that lead to ours
	inner []string // rules of ours
}

// ours is all that Set made, as iptables tells it.
func (t table) ours() string {
	return strings.Join(slices.Concat(t.hooks, t.inner), "\n")
}

// look reads the filter table.
func (f *family) look(ctx context.Context) (table, error) {
	out, err := f.call(ctx, f.save, "", "-t", "filter")
	if err != nil {
		return table{}, err
	}
	var t table
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		rule, isRule := strings.CutPrefix(line, "-A ")
		chain, _, _ := strings.Cut(rule, " ")
		switch {
		case strings.HasPrefix(line, ":DOCKER-USER "):
			t.user = true
		case !isRule:
		case chain == f.chain, chain == f.inputChain():
			t.inner = append(t.inner, line)
		case strings.HasSuffix(rule, " -j "+f.chain), strings.HasSuffix(rule, " -j "+f.inputChain()):
			t.hooks = append(t.hooks, rule)
		}
	}
	return t, nil
}

func (f *family) apply(ctx context.Context, script string) error {
	_, err := f.call(ctx, f.restore, script, "--noflush", "--wait=10")
	return err
}

// call runs a command, and has its error say what to do.
func (f *family) call(ctx context.Context, name, input string, args ...string) (string, error) {
	program, err := find(name)
	if err != nil {
		return "", renga.Errorf(renga.Forbidden,
			"Dynos may reach this machine and its neighbours: there is no program %s. Install iptables.", name)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &said
	if err := cmd.Run(); err != nil {
		why := strings.Join(strings.Fields(said.String()), " ")
		return "", &renga.Error{Kind: renga.Forbidden, Err: err, Message: fmt.Sprintf(
			"Dynos may reach this machine and its neighbours: %s says %q. "+
				"Run Renga as root, or with the capabilities CAP_NET_ADMIN and CAP_NET_RAW.", name, why)}
	}
	return out.String(), nil
}

// find finds a program of the system's, which the PATH of people who are not
// root may lack.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

// hasIPv6 tells whether the kernel has it.
func hasIPv6() bool {
	_, err := os.Stat("/proc/net/if_inet6")
	return !errors.Is(err, fs.ErrNotExist)
}
