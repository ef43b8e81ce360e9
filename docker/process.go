package docker

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ProcessFolder is a process's folder in /proc.
func ProcessFolder(pid int) string { return filepath.Join("/proc", strconv.Itoa(pid)) }

// Belongs makes sure that a process, by its folder in /proc, is a container's:
// seen from another pid namespace, or from another machine, the daemon's number
// is somebody else's.
func Belongs(folder, id string) error {
	groups, err := os.ReadFile(filepath.Join(folder, "cgroup"))
	if err != nil {
		return fmt.Errorf("the container's processes cannot be seen from here: %w", err)
	}
	if !strings.Contains(string(groups), id) {
		return fmt.Errorf("the container's processes cannot be seen from here: %s is another process", folder)
	}
	return nil
}
