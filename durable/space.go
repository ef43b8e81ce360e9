package durable

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// FreeBytes is what a user without privileges may still write below dir.
func FreeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("look at free space of %s: %w", dir, err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}
