package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"renga"
)

const (
	// maxMemory is what one process of git may have for itself, in bytes. Objects of a pack
	// that are smaller than bigFile are held in memory, some at a time.
	maxMemory = 1 << 30
	bigFile   = "32m"
	// niceness has git give way to dynos.
	niceness = 10
	// endGrace is how long git may take to clean up before it is killed.
	endGrace = 5 * time.Second
)

var errNoGit = renga.Errorf(renga.Unavailable,
	"Git is not installed where the platform runs. Whoever runs it has to install it; on Debian: apt-get install git.")

// workspace is a repository as processes of git see it.
type workspace struct {
	g   *Git
	dir string
	env []string // besides the common ones
}

func (g *Git) in(dir string) workspace { return workspace{g: g, dir: dir} }

// seeing is the same with further variables.
func (s workspace) seeing(env ...string) workspace {
	s.env = append(s.env[:len(s.env):len(s.env)], env...)
	return s
}

// tolerated are what git's check of objects finds in old, well-known repositories. They
// harm nobody.
var tolerated = []string{
	"badEmail", "badName", "badTimezone", "missingEmail", "missingNameBeforeEmail", "missingSpaceBeforeDate",
	"missingSpaceBeforeEmail", "zeroPaddedFilemode",
}

// settings are git's, which files of a repository cannot change: they are told to each
// process.
func (g *Git) settings() [][2]string {
	all := [][2]string{
		{"core.hooksPath", g.repos.hooks()},
		{"core.bigFileThreshold", bigFile},
		{"core.deltaBaseCacheLimit", "64m"},
		{"core.packedGitLimit", "256m"},
		{"core.packedGitWindowSize", "32m"},
		{"core.fsync", "all"},
		{"gc.autoDetach", "false"},
		{"pack.threads", "1"},
		{"pack.windowMemory", "64m"},
		{"receive.autogc", "false"},             // it is done afterwards
		{"receive.denyDeleteCurrent", "ignore"}, // the hook judges that
		{"receive.fsckObjects", "true"},
		{"receive.maxInputSize", strconv.FormatInt(g.o.MaxBytes, 10)},
		{"receive.unpackLimit", "1"}, // packs stay packs
		{"safe.directory", "*"},      // all that are here are ours
	}
	for _, what := range tolerated {
		all = append(all, [2]string{"receive.fsck." + what, "ignore"})
	}
	return all
}

// environment is all that git and its hook get to see: nothing of ours is in it.
func (g *Git) environment() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + g.repos.home(), "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_ATTR_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
	}
	settings := g.settings()
	env = append(env, "GIT_CONFIG_COUNT="+strconv.Itoa(len(settings)))
	for i, s := range settings {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, s[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, s[1]))
	}
	return env
}

// command readies git. It and what it starts are a group; when ctx ends, all of them are
// told to end, and killed if they do not. Run it with start and wait.
func (s workspace) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = s.dir
	cmd.Env = append(s.g.environment(), s.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = endGrace
	cmd.Cancel = func() error {
		group := -cmd.Process.Pid
		err := syscall.Kill(group, syscall.SIGTERM) // git removes a quarantine before it ends
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
	return cmd
}

// start starts a command, and bounds what it may take before it does anything: git waits
// for its input, which comes later, or reads what passed these bounds before.
func start(cmd *exec.Cmd) error {
	err := cmd.Start()
	if errors.Is(err, exec.ErrNotFound) {
		return errNoGit
	}
	if err != nil {
		return err
	}
	bound := &unix.Rlimit{Cur: maxMemory, Max: maxMemory}
	_ = unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_DATA, bound, nil) // it may have ended already
	_ = unix.Setpriority(unix.PRIO_PROCESS, cmd.Process.Pid, niceness)
	// When memory runs out git goes first.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", cmd.Process.Pid), []byte("500"), 0)
	return nil
}

// wait waits for the end of a command. Of one that was told to end nothing is left then.
func wait(ctx context.Context, cmd *exec.Cmd) error {
	err := cmd.Wait()
	if ctx.Err() == nil {
		return err
	}
	// The group's number is not used again as long as a process is in it.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	return errors.Join(context.Cause(ctx), err)
}

func run(ctx context.Context, cmd *exec.Cmd) error {
	if err := start(cmd); err != nil {
		return err
	}
	return wait(ctx, cmd)
}

// output runs git and gives what it prints, up to so many bytes. Beyond them it is cut.
func (s workspace) output(ctx context.Context, most int, args ...string) (string, error) {
	out, said := &capped{left: most}, &capped{left: 1 << 10}
	cmd := s.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = out, said
	if err := run(ctx, cmd); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, said.text())
	}
	return out.String(), nil
}

// capped keeps the beginning of what is written to it.
type capped struct {
	bytes.Buffer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	kept := p[:min(len(p), c.left)]
	c.left -= len(kept)
	_, _ = c.Buffer.Write(kept) // a buffer takes everything
	return len(p), nil
}

func (c *capped) text() string {
	return strings.ToValidUTF8(strings.TrimSpace(c.String()), "?")
}

// errStop ends a scan early.
var errStop = errors.New("enough was read")

// scan runs git and hands its output to read, which may end it with errStop.
func (s workspace) scan(ctx context.Context, read func(io.Reader) error, args ...string) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() { // ends with the process
		cmd := s.command(ctx, args...)
		cmd.Stdout = w
		err := run(ctx, cmd)
		_ = w.CloseWithError(err) // it never fails
		ended <- err
	}()
	err := read(r)
	if err != nil {
		stop(err)
		_ = r.CloseWithError(err) // it never fails
	}
	processErr := <-ended
	switch {
	case errors.Is(err, errStop):
		return nil
	case err != nil:
		return err
	case processErr != nil:
		return fmt.Errorf("git %s: %w", args[0], processErr)
	}
	return nil
}
