package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheHostsBlockComesAndGoesAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hosts")
	const others = "127.0.0.1 localhost\n# begin renga other.localhost\n127.0.0.1 other.localhost\n# end renga other.localhost\n"
	if err := os.WriteFile(file, []byte(others), 0o640); err != nil {
		t.Fatal(err)
	}
	s, err := parse(t, nil, "--listen-tls", "0.0.0.0:443")
	if err != nil {
		t.Fatal(err)
	}
	want := others + "# begin renga renga.localhost\n127.0.0.1 api.renga.localhost\n127.0.0.1 registry.renga.localhost\n" +
		"127.0.0.1 git.renga.localhost\n127.0.0.1 renga.localhost\n# end renga renga.localhost\n"
	for _, changes := range []bool{true, false} {
		put(t, file, hostsBlock{s.Domain, hostsLines(s, nil)}, changes, want)
	}
	more := hostsLines(s, []string{"shop"})
	want = strings.Replace(want, "127.0.0.1 renga.", "127.0.0.1 shop.renga.localhost\n127.0.0.1 renga.", 1)
	put(t, file, hostsBlock{s.Domain, more}, true, want)
	for _, changes := range []bool{true, false} {
		put(t, file, hostsBlock{domain: s.Domain}, changes, others)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode is %v, err %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(file + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, err %v", left, err)
	}
}

func put(t *testing.T, file string, b hostsBlock, changes bool, want string) {
	t.Helper()
	changed, err := b.put(file)
	if err != nil || changed != changes {
		t.Errorf("changed %t, err %v", changed, err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != want {
		t.Errorf("the file is\n%s, err %v, want\n%s", text, err, want)
	}
}

func TestAFileWithoutFinalNewlineKeepsItsLastLine(t *testing.T) {
	got := hostsBlock{"x.localhost", []string{"127.0.0.1 x.localhost"}}.in("127.0.0.1 localhost")
	if want := "127.0.0.1 localhost\n# begin renga x.localhost\n127.0.0.1 x.localhost\n# end renga x.localhost\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
