package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Container is one running dyno, as the engine and the dyno itself see it.
type Container struct {
	ID      string // the engine's
	App     string // its name
	Dyno    string // web.1
	Release int
	Pid     int // on this machine
	Env     map[string]string
}

// Containers lists the running dynos of the app of that name, of all apps when
// it is empty, by name. It goes by what dynos are told in their environment.
func (w *Platform) Containers(ctx context.Context, app string) ([]Container, error) {
	ids, err := w.owned(ctx, "ps", "--quiet", "--filter", "label=renga.kind=dyno")
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	out, err := w.Docker(ctx, append([]string{"inspect"}, ids...)...)
	if err != nil {
		return nil, err
	}
	var all []struct {
		ID     string `json:"Id"`
		State  struct{ Pid int }
		Config struct{ Env []string }
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return nil, err
	}
	var dynos []Container
	for _, one := range all {
		c := newContainer(one.ID, one.State.Pid, one.Config.Env)
		if app == "" || c.App == app {
			dynos = append(dynos, c)
		}
	}
	slices.SortFunc(dynos, func(a, b Container) int { return strings.Compare(a.Dyno+a.ID, b.Dyno+b.ID) })
	return dynos, nil
}

func newContainer(id string, pid int, env []string) Container {
	c := Container{ID: id, Pid: pid, Env: map[string]string{}}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		c.Env[name] = value
	}
	c.App, c.Dyno = c.Env["HEROKU_APP_NAME"], c.Env["DYNO"]
	// 0, which no release is, when it was not told.
	c.Release, _ = strconv.Atoi(strings.TrimPrefix(c.Env["HEROKU_RELEASE_VERSION"], "v"))
	return c
}

// owned runs a listing docker command on what belongs to this platform and
// returns the words it printed.
func (w *Platform) owned(ctx context.Context, args ...string) ([]string, error) {
	id, err := w.platform()
	if err != nil || id == "" {
		return nil, err
	}
	return w.list(ctx, append(args, "--filter", "label=renga.platform="+id)...)
}

func (w *Platform) platformFile() string { return filepath.Join(w.Dir, "platform.json") }

// platform is the platform's id; empty when it was never started.
func (w *Platform) platform() (string, error) {
	text, err := os.ReadFile(w.platformFile())
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var file struct {
		ID string `json:"id"`
	}
	return file.ID, json.Unmarshal(text, &file)
}

// end stops the platform, removes all that it made, and fails the test when the
// log tells of a data race or a panic. Of a failed test it shows the log.
func (w *Platform) end(tb testing.TB) {
	if w.Running() {
		if err := w.Stop(); err != nil {
			tb.Errorf("stop at the end: %v", err)
		}
	}
	for _, problem := range []string{"WARNING: DATA RACE", "\npanic: ", "\nfatal error: "} {
		if _, at, found := strings.Cut("\n"+w.Log(), problem); found {
			tb.Errorf("renga's log tells of %q:\n%s", strings.TrimSpace(problem), at)
		}
	}
	if tb.Failed() {
		tb.Logf("renga's log ends:\n%s", tail(w.Log(), 60))
	}
	err := w.removeAll(context.Background())
	if err == nil {
		err = w.kit.journal.write(entry{Gone: w.id})
	}
	if err != nil { // the next run tries again
		tb.Errorf("clean up: %v", err)
	}
	w.client.CloseIdleConnections()
}

// removeAll removes all that this platform made outside of its directory; what runs
// comes first, for it would make more.
func (w *Platform) removeAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	return errors.Join(w.endProcesses(), w.removeOwned(ctx), w.removeFirewall(ctx), w.forgetHosts(ctx))
}

// removeOwned removes this platform's containers, networks, volumes and images; containers
// that a test ran itself from one of the images, too.
func (w *Platform) removeOwned(ctx context.Context) error {
	made := "label=" + testLabel + "=" + w.id
	return errors.Join(
		w.remove(ctx, w.owned, []string{"ps", "--all", "--quiet"}, "rm", "--force", "--volumes"),
		w.remove(ctx, w.list, []string{"ps", "--all", "--quiet", "--filter", made}, "rm", "--force", "--volumes"),
		w.remove(ctx, w.owned, []string{"network", "ls", "--quiet"}, "network", "rm"),
		w.remove(ctx, w.owned, []string{"volume", "ls", "--quiet"}, "volume", "rm"),
		w.remove(ctx, w.list, []string{"images", "--quiet", "--filter", made}, "rmi", "--force"),
	)
}

// removeFirewall removes the firewall rules.
func (w *Platform) removeFirewall(ctx context.Context) error {
	if id, err := w.platform(); err != nil || id == "" {
		return err
	}
	_, said, err := w.Run(ctx, "firewall", "--uninstall")
	if err != nil {
		return errors.New(said)
	}
	return nil
}

// list runs a listing docker command and returns the words it printed.
func (w *Platform) list(ctx context.Context, args ...string) ([]string, error) {
	out, err := w.Docker(ctx, args...)
	words := strings.Fields(out)
	slices.Sort(words)
	return slices.Compact(words), err
}

// remove hands what one docker command lists to another one.
func (w *Platform) remove(
	ctx context.Context, list func(context.Context, ...string) ([]string, error), what []string, how ...string,
) error {
	ids, err := list(ctx, what...)
	if err != nil || len(ids) == 0 {
		return err
	}
	_, err = w.Docker(ctx, append(how, ids...)...)
	return err
}

// endProcesses kills what was left running with the data directory: a platform
// that did not stop, and a supervised redis-server whose platform was killed.
func (w *Platform) endProcesses() error {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, process := range processes {
		pid, err := strconv.Atoi(filepath.Base(process))
		if err != nil || !w.started(process) {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		gone := func() error {
			if w.started(process) {
				return fmt.Errorf("process %d lives on", pid)
			}
			return nil
		}
		if err := Poll(context.Background(), gone); err != nil {
			return err
		}
	}
	return nil
}

// started tells whether a process was started for this platform: it works in the
// data directory, or was told of it.
func (w *Platform) started(process string) bool {
	dir, _ := os.Readlink(filepath.Join(process, "cwd")) // it may be gone meanwhile
	env, _ := os.ReadFile(filepath.Join(process, "environ"))
	return strings.HasPrefix(dir, w.Dir+"/") || bytes.Contains(env, []byte("RENGA_DATA="+w.Dir+"\x00"))
}
