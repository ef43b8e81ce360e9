package docker

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"renga/docker"
)

// dnsAddr is where Docker's own name server listens, within every container.
var dnsAddr = netip.MustParseAddr("127.0.0.11")

// Ports implements [engine.PortLister] by reading the kernel's socket tables
// of the container's network namespace. It works where Renga sees the
// machine's processes, and is an error elsewhere. An instance that does not run
// listens on nothing.
func (e *Engine) Ports(ctx context.Context, id string) ([]string, error) {
	c, err := e.docker.Inspect(ctx, id)
	if err != nil || c == nil || c.Pid == 0 {
		return nil, err
	}
	ports, err := listeners(docker.ProcessFolder(c.Pid), c.ID)
	if err == nil {
		return ports, nil
	}
	// It may have ended since.
	if now, lookErr := e.docker.Inspect(ctx, id); lookErr == nil && (now == nil || now.Pid != c.Pid) {
		return nil, nil
	}
	return nil, fmt.Errorf("ports of dyno %s: %w", c.Labels[labelDyno], err)
}

// listeners reads the tables below the folder in /proc of a container's process.
func listeners(proc, id string) ([]string, error) {
	if err := docker.Belongs(proc, id); err != nil {
		return nil, err
	}
	var all []string
	for _, table := range []string{"tcp", "tcp6"} {
		found, err := readTable(filepath.Join(proc, "net", table))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func readTable(file string) ([]string, error) {
	f, err := os.Open(file)
	if os.IsNotExist(err) && strings.HasSuffix(file, "6") { // a kernel without IPv6
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	found, err := parseListeners(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return found, nil
}

// parseListeners reads /proc/net/tcp or tcp6 (Documentation/networking/
// proc_net_tcp.rst): a heading, then per socket a number, the local address,
// the remote one and the state, which is 0A for listening. It leaves out
// Docker's name server and doubles.
func parseListeners(r io.Reader) ([]string, error) {
	var all []string
	lines := bufio.NewScanner(r)
	for first := true; lines.Scan(); first = false {
		fields := strings.Fields(lines.Text())
		if first || len(fields) < 4 || fields[3] != "0A" {
			continue
		}
		local, err := parseSocket(fields[1])
		if err != nil {
			return nil, err
		}
		if local.Addr() != dnsAddr && !slices.Contains(all, local.String()) {
			all = append(all, local.String())
		}
	}
	return all, lines.Err()
}

// parseSocket reads an address such as 0100007F:1F90: words of 32 bits in the
// machine's byte order, then the port as a plain hexadecimal number.
func parseSocket(s string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(s, ":")
	words, err := hex.DecodeString(host)
	if err != nil || len(words) != 4 && len(words) != 16 {
		return netip.AddrPort{}, fmt.Errorf("socket %q: no address", s)
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("socket %q: %w", s, err)
	}
	for i := 0; i < len(words); i += 4 {
		binary.NativeEndian.PutUint32(words[i:], binary.BigEndian.Uint32(words[i:]))
	}
	addr, _ := netip.AddrFromSlice(words)
	return netip.AddrPortFrom(addr.Unmap(), uint16(number)), nil
}
