package e2e

import (
	"context"
	"encoding/json"
	"errors"
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
func (w *World) Containers(ctx context.Context, app string) ([]Container, error) {
	ids, err := w.owned(ctx, "ps", "--quiet")
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
func (w *World) owned(ctx context.Context, args ...string) ([]string, error) {
	id, err := w.platform()
	if err != nil || id == "" {
		return nil, err
	}
	return w.list(ctx, append(args, "--filter", "label=renga.platform="+id)...)
}

// platform is the platform's id; empty when it was never started.
func (w *World) platform() (string, error) {
	text, err := os.ReadFile(filepath.Join(w.Dir, "platform.json"))
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
func (w *World) end(tb testing.TB) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
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
	if err := errors.Join(w.removeOwned(ctx), w.removeFirewall(ctx), w.endProcesses(), w.forgetHosts(ctx)); err != nil {
		tb.Errorf("clean up: %v", err)
	}
	w.client.CloseIdleConnections()
}

// removeOwned removes this world's containers, networks and images; containers
// that a test ran itself from one of the images, too.
func (w *World) removeOwned(ctx context.Context) error {
	made := "label=" + worldLabel + "=" + w.id
	return errors.Join(
		w.remove(ctx, w.owned, []string{"ps", "--all", "--quiet"}, "rm", "--force", "--volumes"),
		w.remove(ctx, w.list, []string{"ps", "--all", "--quiet", "--filter", made}, "rm", "--force", "--volumes"),
		w.remove(ctx, w.owned, []string{"network", "ls", "--quiet"}, "network", "rm"),
		w.remove(ctx, w.list, []string{"images", "--quiet", "--filter", made}, "rmi", "--force"),
	)
}

// removeFirewall removes the firewall rules.
func (w *World) removeFirewall(ctx context.Context) error {
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
func (w *World) list(ctx context.Context, args ...string) ([]string, error) {
	out, err := w.Docker(ctx, args...)
	words := strings.Fields(out)
	slices.Sort(words)
	return slices.Compact(words), err
}

// remove hands what one docker command lists to another one.
func (w *World) remove(ctx context.Context, list func(context.Context, ...string) ([]string, error), what []string, how ...string) error {
	ids, err := list(ctx, what...)
	if err != nil || len(ids) == 0 {
		return err
	}
	_, err = w.Docker(ctx, append(how, ids...)...)
	return err
}

// endProcesses kills what was left running in the data directory: a supervised
// redis-server whose platform was killed.
func (w *World) endProcesses() error {
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		return err
	}
	for _, link := range links {
		dir, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(dir, w.Dir+"/") {
			continue // gone meanwhile, or not ours
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err != nil {
			return err
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		gone := func() error {
			if _, err := os.Readlink(link); err == nil {
				return errors.New("process " + strconv.Itoa(pid) + " lives on")
			}
			return nil
		}
		if err := Poll(context.Background(), gone); err != nil {
			return err
		}
	}
	return nil
}
