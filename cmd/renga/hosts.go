package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// hostsFile is where names are told that no DNS server knows.
const hostsFile = "/etc/hosts"

// hosts prints the lines that this machine's /etc/hosts needs, or puts them
// there, or takes them out. Further names below the domain may be given, such
// as apps': the file knows no wildcards.
func hosts(_ context.Context, p *program, args []string) error {
	var install, uninstall bool
	s, names, err := p.parseSettings("hosts", args, func(f *flag.FlagSet) {
		f.BoolVar(&install, "install", false, "write them to "+hostsFile)
		f.BoolVar(&uninstall, "uninstall", false, "remove them from "+hostsFile)
	})
	if err != nil {
		return err
	}
	if s, err = s.asServed(); err != nil {
		return err
	}
	block := hostsBlock{s.Domain, hostsLines(s, names)}
	switch {
	case uninstall:
		return p.editHosts(hostsBlock{domain: s.Domain}, "No name below "+s.Domain+" is in "+hostsFile+" any more.")
	case install:
		return p.editHosts(block, fmt.Sprintf("%s leads %s to this machine now.", hostsFile, strings.Join(block.names(), ", ")))
	}
	_, err = fmt.Fprint(p.out, block)
	return err
}

func (p *program) editHosts(b hostsBlock, done string) error {
	changed, err := b.put(hostsFile)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: run this as root, or edit the file by hand; `renga hosts` prints the lines", err)
	}
	if err != nil || !changed {
		return err
	}
	_, err = fmt.Fprintln(p.out, done)
	return err
}

// hostsLines are the platform's names, the domain itself last.
func hostsLines(s Settings, more []string) []string {
	at := s.Listen
	if len(s.ListenTLS) > 0 {
		at = s.ListenTLS
	}
	ip, _, _ := net.SplitHostPort(reachable(at[0])) // validated
	if ip == "localhost" {
		ip = "127.0.0.1"
	}
	var lines []string
	for _, name := range append([]string{"api", "registry", "git"}, more...) {
		lines = append(lines, ip+" "+name+"."+s.Domain)
	}
	return append(lines, ip+" "+s.Domain)
}

// hostsBlock is what one platform has in the file, between two marks. Without
// lines there is no block.
type hostsBlock struct {
	domain string
	lines  []string
}

func (b hostsBlock) names() []string {
	var names []string
	for _, line := range b.lines {
		_, name, _ := strings.Cut(line, " ")
		names = append(names, name)
	}
	return names
}

func (b hostsBlock) marks() (begin, end string) {
	return "# begin renga " + b.domain + "\n", "# end renga " + b.domain + "\n"
}

// String is the block as it is in the file.
func (b hostsBlock) String() string {
	if len(b.lines) == 0 {
		return ""
	}
	begin, end := b.marks()
	return begin + strings.Join(b.lines, "\n") + "\n" + end
}

// in is the file's text with this block in place of the one before. Of a block
// whose end is missing only the first mark goes.
func (b hostsBlock) in(text string) string {
	begin, end := b.marks()
	before, rest, found := strings.Cut(text, begin)
	if found {
		_, after, whole := strings.Cut(rest, end)
		if !whole {
			after = rest
		}
		text = before + after
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + b.String()
}

// put changes the file, alone among all that do so this way.
func (b hostsBlock) put(file string) (changed bool, err error) {
	lock, err := os.Open(filepath.Dir(file))
	if err != nil {
		return false, err
	}
	defer func() { _ = lock.Close() }() // which unlocks it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return false, err
	}
	old, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	fresh := []byte(b.in(string(old)))
	if bytes.Equal(old, fresh) {
		return false, nil
	}
	return true, replace(file, fresh)
}

// replace puts a new file with the old one's owner and mode in its place. A
// file that is a mount, as in containers, cannot be replaced and is written
// over.
func replace(file string, content []byte) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	fresh := file + ".renga"
	err = os.WriteFile(fresh, content, info.Mode().Perm())
	if err == nil {
		err = copyAttributes(fresh, info)
	}
	if err == nil {
		err = os.Rename(fresh, file)
	}
	if err == nil {
		return nil
	}
	_ = os.Remove(fresh) // it may not be there
	if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV) {
		return os.WriteFile(file, content, info.Mode().Perm())
	}
	return err
}

// copyAttributes gives a file the mode and owner of another.
func copyAttributes(file string, info fs.FileInfo) error {
	if err := os.Chmod(file, info.Mode().Perm()); err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Chown(file, int(owner.Uid), int(owner.Gid))
}
