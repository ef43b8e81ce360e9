package durable

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// TotalBytes is the size of the file system of dir, without what is kept for the
// system itself.
func TotalBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("look at the size of the disk of %s: %w", dir, err)
	}
	return int64(st.Blocks-st.Bfree+st.Bavail) * st.Bsize, nil
}

// FreeBytes is what a user without privileges may still write below dir.
func FreeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("look at free space of %s: %w", dir, err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}
