package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	// cliVersion is the official CLI that the platform is tried with.
	cliVersion = "11.10.0"
	// nodeWanted is the oldest Node that it runs on, and nodeVersion the one that
	// is installed beside it where that of the machine is older, as Debian 12's is.
	nodeWanted  = 20
	nodeVersion = "20.20.2"
)

// InstallCLI gives the path of the official CLI. When it is not in the user's
// cache it is installed there, once, however many ask at the same time. Its
// folder is to come first in PATH: it holds the Node that the CLI needs, when the
// machine has none.
func InstallCLI(ctx context.Context) (heroku string, err error) {
	cache, err := cacheDir(".")
	if err != nil {
		return "", err
	}
	name, packages := "heroku-"+cliVersion, []string{"heroku@" + cliVersion}
	if version, _ := exec.CommandContext(ctx, "node", "--version").Output(); nodeIsOld(string(version)) {
		name, packages = name+"-node-"+nodeVersion, append(packages, "node@"+nodeVersion)
	}
	dir := filepath.Join(cache, name)
	unlock, err := Lock("cli")
	if err != nil {
		return "", err
	}
	defer unlock()
	heroku = filepath.Join(dir, "node_modules", ".bin", "heroku")
	if _, err := os.Stat(heroku); err == nil {
		return heroku, nil
	}
	return heroku, npmInstall(ctx, dir, packages...)
}

// cacheDir is a directory in what tests keep from one run to the next.
func cacheDir(name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "renga-e2e", name)
	return dir, os.MkdirAll(dir, 0o700)
}

// Lock waits until nobody else on this machine has the lock of that name, and
// takes it until unlock is called or the process ends. It is for what there is
// once however many tests run.
func Lock(name string) (unlock func(), err error) {
	dir, err := cacheDir(".")
	if err != nil {
		return nil, err
	}
	file, err := os.Create(filepath.Join(dir, name+".lock"))
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { _ = file.Close() }, nil // which unlocks it
}

// nodeIsOld looks at what node --version printed, which may be nothing.
func nodeIsOld(version string) bool {
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	n, err := strconv.Atoi(major)
	return err != nil || n < nodeWanted
}

// npmInstall installs into a directory beside and renames it, so that one that
// was cut short is never used.
func npmInstall(ctx context.Context, dir string, packages ...string) error {
	fresh := dir + ".new"
	if err := errors.Join(os.RemoveAll(fresh), os.Mkdir(fresh, 0o700)); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--prefix", fresh)
	cmd.Args = append(cmd.Args, packages...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm install %s: %w\n%s", strings.Join(packages, " "), err, out)
	}
	return os.Rename(fresh, dir)
}

// ClientEnv is the environment of somebody who typed eval "$(renga env)" in
// this platform, with a home of their own. Flags are those of renga env.
func (w *Platform) ClientEnv(ctx context.Context, flags ...string) ([]string, error) {
	stdout, stderr, err := w.Run(ctx, append([]string{"env"}, flags...)...)
	if err != nil {
		return nil, fmt.Errorf("renga env: %w: %s", err, stderr)
	}
	home := filepath.Join(w.home, "user")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", stdout+"\nenv -0")
	cmd.Env = append(w.Env(), "HOME="+home, "XDG_CACHE_HOME="+home+"/.cache", "GIT_CONFIG_GLOBAL="+home+"/.gitconfig")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("evaluate renga env: %w", err)
	}
	return strings.Split(strings.TrimRight(string(out), "\x00"), "\x00"), nil
}
