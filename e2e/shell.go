package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// sharedObject finds the libraries in what ldd prints.
var sharedObject = regexp.MustCompile(`/\S+`)

// ShellFiles are this machine's /bin/sh and the libraries that it needs, for
// [Image.Files].
func ShellFiles(ctx context.Context) (map[string][]byte, error) {
	const shell = "/bin/sh"
	out, err := exec.CommandContext(ctx, "ldd", shell).Output()
	if err != nil {
		return nil, fmt.Errorf("ldd %s: %w", shell, err)
	}
	files := map[string][]byte{}
	for _, path := range append(sharedObject.FindAllString(string(out), -1), shell) {
		if files[strings.TrimPrefix(path, "/")], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	return files, nil
}
