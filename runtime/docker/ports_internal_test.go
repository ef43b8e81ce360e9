package docker

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const socketTable = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 505 1 0 100 0 0 10 0
   1: 0B00007F:9C41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 506 1 0 100 0 0 10 0
   2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 507 1 0 100 0 0 10 0
   3: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 508 1 0 100 0 0 10 0
   4: 0200E00A:1F90 0100E00A:D431 01 00000000:00000000 00:00000000 00000000     0        0 509 1 0 100 0 0 10 0
`

const socketTable6 = `  sl  local_address                         remote_address                        ` +
	`st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:270F 00000000000000000000000000000000:0000 ` + listening6 + `
   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 ` + listening6 + `
   2: 0000000000000000FFFF00000100007F:0051 00000000000000000000000000000000:0000 ` + listening6 + `
`

const listening6 = `0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0`

func TestListenersAreReadFromTheKernelsTables(t *testing.T) {
	for table, want := range map[string][]string{
		socketTable:  {"127.0.0.1:3000", "0.0.0.0:8080"},
		socketTable6: {"[::]:9999", "[::1]:80", "127.0.0.1:81"},
		"":           nil,
	} {
		got, err := parseListeners(strings.NewReader(table))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
	}
}

func TestTablesOfAnotherProcessAreNotRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("net/tcp", socketTable)
	if _, err := listeners(dir, "abc"); err == nil {
		t.Error("no cgroup file, and no error")
	}
	write("cgroup", "0::/init.scope\n")
	if _, err := listeners(dir, "abc"); err == nil {
		t.Error("somebody else's process, and no error")
	}
	write("cgroup", "0::/system.slice/docker-abc.scope\n")
	got, err := listeners(dir, "abc") // without tcp6, as on a kernel without IPv6
	if err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzParseListeners(f *testing.F) {
	f.Add(socketTable)
	f.Add(socketTable6)
	f.Add("x\n0: 0100007F:FFFFF 0 0A\n")
	f.Add("x\n0: 01:1 0 0A\n0: : 0 0A")
	f.Fuzz(func(t *testing.T, table string) {
		found, err := parseListeners(strings.NewReader(table))
		if err != nil {
			return
		}
		for _, s := range found {
			if _, err := netip.ParseAddrPort(s); err != nil {
				t.Errorf("%q is no address with a port", s)
			}
		}
	})
}
