package e2e_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"renga/children"
	"renga/e2e"
)

// toBeKilled is set in the run of this test that another one kills.
const toBeKilled = "RENGA_E2E_TO_BE_KILLED"

// testRun is a run of this very test binary, on the same platform's binary.
func testRun(tests string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run="+tests)
	cmd.Env = append(os.Environ(), "RENGA_BINARY="+kit.Renga, toBeKilled+"=yes")
	return cmd
}

// TestAKilledTestRunLeavesNothing kills one whose platform has all that platforms
// have, and starts another, which runs no test.
func TestAKilledTestRunLeavesNothing(t *testing.T) {
	if os.Getenv(toBeKilled) != "" {
		stayWithADyno(t)
	}
	t.Parallel()
	killed := testRun("^" + t.Name() + "$")
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	killed.Stdout, killed.Stderr = log, log
	if err := errors.Join(children.Start(killed, syscall.SIGKILL), log.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = killed.Process.Kill() }) // it is killed below
	var left *leftovers
	err = e2e.Poll(t.Context(), func() (err error) {
		if left, err = leftoversOf(t, killed.Process.Pid); err != nil {
			return err
		}
		return left.has("directory", "journal", "names", "rules", "container", "network", "image", "renga", "redis-server")
	})
	if err != nil {
		said, _ := os.ReadFile(log.Name()) // it says more, if it can
		t.Fatalf("%v\n%s", err, said)
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // killed, as asked for
	if err := e2e.Poll(t.Context(), func() error { return left.hasNot("renga", "redis-server") }); err != nil {
		t.Errorf("after the kill: %v", err)
	}
	if out, err := children.CombinedOutput(testRun("^$"), syscall.SIGTERM); err != nil {
		t.Errorf("the next run: %v\n%s", err, out)
	}
	if what := left.list(); len(what) > 0 {
		t.Errorf("after the next run there is still: %q", what)
	}
}

// stayWithADyno has a platform with names run a dyno until the test is killed.
func stayWithADyno(t *testing.T) {
	w := kit.Platform(t, e2e.WithHosts())
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	img, err := w.Image(e2e.Image{Version: "left"})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := w.DockerPush(t.Context(), "hello", img); err != nil {
		t.Fatalf("docker push: %v\n%s", err, out)
	}
	time.Sleep(time.Hour)
}

// leftovers are what there is of the platform of a test run.
type leftovers struct {
	t                           *testing.T
	pid                         int
	journal, home, id, platform string
}

// leftoversOf finds the platform of the run with that process.
func leftoversOf(t *testing.T, pid int) (*leftovers, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	journals, err := filepath.Glob(filepath.Join(cache, "renga-e2e", "runs", "*.json"))
	if err != nil {
		return nil, err
	}
	platform := regexp.MustCompile(fmt.Sprintf(`"ID":"([^"]+)","Home":"([^"]+)","Domain":"w%d-.*"Platform":"([^"]+)"`, pid))
	for _, journal := range journals {
		text, _ := os.ReadFile(journal) // another run's may be gone
		if found := platform.FindStringSubmatch(string(text)); found != nil {
			return &leftovers{t, pid, journal, found[2], found[1], found[3]}, nil
		}
	}
	return nil, fmt.Errorf("no journal knows the platform of process %d and its platform", pid)
}

// list says what is there.
func (l *leftovers) list() []string {
	found := map[string]bool{
		"directory":    exists(l.home),
		"journal":      exists(l.journal),
		"names":        strings.Contains(readHosts(l.t), fmt.Sprintf("w%d-", l.pid)),
		"rules":        strings.Contains(run(l.t, "iptables-save")+run(l.t, "ip6tables-save"), l.chain()),
		"container":    l.docker("ps", "--all"),
		"network":      l.docker("network", "ls"),
		"image":        run(l.t, "docker", "images", "--quiet", "--filter", "label=renga.e2e="+l.id) != "",
		"renga":        l.runs(filepath.Base(kit.Renga)),
		"redis-server": l.runs("redis-server"),
	}
	var list []string
	for what, there := range found {
		if there {
			list = append(list, what)
		}
	}
	slices.Sort(list)
	return list
}

func (l *leftovers) has(want ...string) error {
	list := l.list()
	for _, what := range want {
		if !slices.Contains(list, what) {
			return fmt.Errorf("no %s there yet: %q", what, list)
		}
	}
	return nil
}

func (l *leftovers) hasNot(unwanted ...string) error {
	list := l.list()
	for _, what := range unwanted {
		if slices.Contains(list, what) {
			return fmt.Errorf("%s is still there: %q", what, list)
		}
	}
	return nil
}

// chain is what the platform's rules are called.
func (l *leftovers) chain() string {
	return fmt.Sprintf("RENGA-%.10x", sha256.Sum256([]byte(l.platform)))[:len("RENGA-")+10]
}

func (l *leftovers) docker(list ...string) bool {
	return run(l.t, "docker", append(list, "--quiet", "--filter", "label=renga.platform="+l.platform)...) != ""
}

// runs tells whether a process of that name runs with the platform's data.
func (l *leftovers) runs(name string) bool {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		l.t.Fatal(err)
	}
	return slices.ContainsFunc(processes, func(process string) bool {
		comm, _ := os.ReadFile(filepath.Join(process, "comm")) // it may be gone meanwhile
		env, _ := os.ReadFile(filepath.Join(process, "environ"))
		dir, _ := os.Readlink(filepath.Join(process, "cwd"))
		return strings.TrimSpace(string(comm)) == name && strings.Contains(string(env)+dir, l.home)
	})
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
