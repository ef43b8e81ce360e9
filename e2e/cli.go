package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// cliVersion is the official CLI that the platform is tried with.
const cliVersion = "11.10.0"

// InstallCLI gives the path of the official CLI. When it is not in the user's
// cache it is installed there, once, however many ask at the same time.
func InstallCLI(ctx context.Context) (heroku string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "renga-e2e", "heroku-"+cliVersion)
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return "", err
	}
	lock, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }() // which unlocks it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	heroku = filepath.Join(dir, "node_modules", ".bin", "heroku")
	if _, err := os.Stat(heroku); err == nil {
		return heroku, nil
	}
	return heroku, npmInstall(ctx, dir, "heroku@"+cliVersion)
}

// npmInstall installs into a directory beside and renames it, so that one that
// was cut short is never used.
func npmInstall(ctx context.Context, dir, what string) error {
	fresh := dir + ".new"
	if err := errors.Join(os.RemoveAll(fresh), os.Mkdir(fresh, 0o700)); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--prefix", fresh, what)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm install %s: %w\n%s", what, err, out)
	}
	return os.Rename(fresh, dir)
}

// ClientEnv is the environment of somebody who typed eval "$(renga env)" in
// this world, with a home of their own. Flags are those of renga env.
func (w *World) ClientEnv(ctx context.Context, flags ...string) ([]string, error) {
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
