package docker

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"renga"
)

// defaultPath is Docker's for images that set none (oci/defaults.go).
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// lookup is all that a command is found by. An image's id is its content.
type lookup struct{ image, search, dir, command string }

// CheckCommand tells whether a created container has a file to run by that
// name. Docker does not: with an init the container starts in any case, and
// then the init exits with 127, which looks like a crash of the app.
// Only a certain no is an error, of kind Invalid. A certain yes is remembered:
// to look, the daemon mounts the container's files.
func (c *Container) CheckCommand(ctx context.Context, command string) error {
	asked := lookup{c.Image, pathOf(c.Env), c.Dir, command}
	if _, ok := c.client.runnable.Load(asked); ok {
		return nil
	}
	for _, file := range candidates(command, asked.search, asked.dir) {
		found, err := c.Stat(ctx, file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			c.client.log.Debug("command cannot be checked", "file", file, "err", err)
			return nil
		case found.Mode.IsDir() && strings.Contains(command, "/"):
			return renga.Errorf(renga.Invalid,
				"The command %s cannot be run: it is a directory. Correct the command and push again.", quote(command))
		case found.Mode.IsDir(), !executable(found.Mode) && !strings.Contains(command, "/"):
			continue // as execvp does
		case !executable(found.Mode):
			return renga.Errorf(renga.Invalid,
				"The command %s cannot be run: permission denied. Make the file executable and push again.", quote(command))
		}
		c.client.runnable.Store(asked, true)
		return nil
	}
	return renga.Errorf(renga.Invalid,
		"The command %s is not in the image: no such executable file. Correct the command and push again.", quote(command))
}

// executable takes what it does not know, such as a second link, for yes.
func executable(mode fs.FileMode) bool {
	return !mode.IsRegular() || mode&0o111 != 0
}

// candidates are the files that execvp(3) tries, in its order.
func candidates(command, search, dir string) []string {
	if dir == "" {
		dir = "/"
	}
	if strings.Contains(command, "/") {
		return []string{absolute(dir, command)}
	}
	var files []string
	for _, place := range strings.Split(search, ":") {
		files = append(files, path.Join(absolute(dir, place), command))
	}
	return files
}

func absolute(dir, file string) string {
	if path.IsAbs(file) {
		return path.Clean(file)
	}
	return path.Join("/", dir, file)
}

func pathOf(env []string) string {
	for _, v := range env {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			return value
		}
	}
	return defaultPath
}

// quote shows a command in a message, however odd or long it is.
func quote(command string) string {
	return strconv.Quote(renga.Clip(command, 100))
}
