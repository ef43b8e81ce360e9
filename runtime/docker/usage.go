package docker

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"renga/docker"
)

const (
	// minFileBytes is what a file counts that is smaller: files themselves run out, too.
	minFileBytes = 4096
	// maxDepth is how many directories may lie within each other. What is deeper is
	// not measured, and counts as too much.
	maxDepth = 256
)

// inode tells files apart.
type inode struct{ dev, ino uint64 }

// diskCount adds up what files take. The directories that it walks are a dyno's,
// which may change them meanwhile: no link is followed, and no path is longer
// than a name.
type diskCount struct {
	bytes, most int64          // it stops when it is beyond most
	seen        map[inode]bool // files with several names, and those without
}

// dir adds all below a directory.
func (c *diskCount) dir(path string) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return // it has gone
	}
	c.walk(os.NewFile(uintptr(fd), path), 0)
}

// walk adds all that is in an open directory, and closes it.
func (c *diskCount) walk(dir *os.File, depth int) {
	defer func() { _ = dir.Close() }() // it was only read
	if depth > maxDepth {
		c.bytes = c.most + 1
		return
	}
	for c.bytes <= c.most {
		entries, err := dir.ReadDir(1024)
		for _, entry := range entries {
			c.add(dir, entry.Name(), depth)
		}
		if err != nil { // io.EOF, for one
			return
		}
	}
}

// add adds one entry of a directory.
func (c *diskCount) add(dir *os.File, name string, depth int) {
	var st unix.Stat_t
	if unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || c.bytes > c.most {
		return
	}
	if !c.known(st, st.Nlink > 1 && st.Mode&unix.S_IFMT != unix.S_IFDIR) {
		c.bytes += max(st.Blocks*512, minFileBytes)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return
	}
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == nil {
		c.walk(os.NewFile(uintptr(fd), name), depth+1)
	}
}

// known tells whether a file was counted; only if it may come twice that is noted.
func (c *diskCount) known(st unix.Stat_t, twice bool) bool {
	if !twice {
		return false
	}
	id := inode{uint64(st.Dev), st.Ino}
	known := c.seen[id]
	c.seen[id] = true
	return known
}

// unlinked adds files that have no name any more, and which a process of the
// container has open or in its memory. First is its first process.
func (c *diskCount) unlinked(first int, id string) {
	for _, pid := range processes(first, id) {
		for _, kind := range []string{"fd", "map_files"} {
			c.held(filepath.Join("/proc", pid, kind))
		}
	}
}

// held adds them from one of a process's directories of links.
func (c *diskCount) held(path string) {
	dir, err := os.Open(path)
	if err != nil {
		return // it has ended
	}
	defer func() { _ = dir.Close() }() // it was only read
	for c.bytes <= c.most {
		names, err := dir.Readdirnames(1024)
		for _, name := range names {
			link := filepath.Join(path, name)
			target, readErr := os.Readlink(link)
			if readErr != nil || !strings.HasSuffix(target, " (deleted)") ||
				strings.HasPrefix(target, "/memfd:") || strings.HasPrefix(target, "/dev/") {
				continue
			}
			var st unix.Stat_t
			if unix.Stat(link, &st) == nil && st.Nlink == 0 && st.Mode&unix.S_IFMT == unix.S_IFREG && !c.known(st, true) {
				c.bytes += st.Blocks * 512
			}
		}
		if err != nil {
			return
		}
	}
}

// processes lists those of a container, by the control group of its first one.
func processes(first int, id string) []string {
	proc := docker.ProcessFolder(first)
	if docker.Belongs(proc, id) != nil {
		return nil
	}
	groups, err := os.ReadFile(filepath.Join(proc, "cgroup"))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // number:controllers:path
		if len(parts) < 3 || !strings.Contains(parts[2], id) {
			continue
		}
		// In the second version of control groups no controller is named.
		pids, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", parts[1], parts[2], "cgroup.procs"))
		if err == nil {
			return strings.Fields(string(pids))
		}
	}
	return []string{strconv.Itoa(first)}
}
