// Package durabletest gives tests disks that are soon full.
package durabletest

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// SmallDisk is a directory on a file system of its own, of so many MiB, which ends with
// the test. It needs root.
func SmallDisk(t testing.TB, mib int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		t.Fatalf("mount a small disk (needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}
