package herokucli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"renga/e2e"
)

// Session runs commands of the official CLI, one after the other, as the operator
// of a platform, and sees which hosts they ask. It is not for several goroutines.
type Session struct {
	bin, dir, connects string
	env                []string
	process            *served // nil until a command needs one
	seen               int     // bytes of connects that were read
}

// Ran is what came of a command.
type Ran struct {
	// Status is the exit code.
	Status int
	// Out is what it printed, both outputs in their order.
	Out string
	// Hosts are those that it asked, or tried to: each once, those of the
	// platform and this machine left out. No request has left for them.
	Hosts []string
}

// NewSession begins a session with the CLI in bin. It works in dir, which is to be
// empty.
func NewSession(ctx context.Context, w *e2e.Platform, bin, dir string) (*Session, error) {
	env, err := w.ClientEnv(ctx)
	if err != nil {
		return nil, err
	}
	hook, err := filepath.Abs("../testdata/node/connects.cjs")
	if err != nil {
		return nil, err
	}
	s := &Session{bin: bin, dir: dir, connects: filepath.Join(dir, ".connects")}
	s.env = append(env, "PATH="+bin+":"+os.Getenv("PATH"), "OCLIF_COLUMNS=250", "BROWSER=none", "EDITOR=true",
		"XDG_CONFIG_HOME="+dir+"/.config", "XDG_DATA_HOME="+dir+"/.local/share", "GIT_CONFIG_SYSTEM=/dev/null",
		"npm_config_fetch_retries=0", "NODE_OPTIONS=--require="+hook, "CONNECTS="+s.connects, "CONNECTS_DOMAIN="+w.Domain)
	return s, os.WriteFile(s.connects, nil, 0o600)
}

// Run runs a command, or says that it has not ended within limit.
func (s *Session) Run(ctx context.Context, limit time.Duration, argv ...string) (Ran, error) {
	if s.process == nil {
		p, err := serve(s.bin, s.node)
		if err != nil {
			return Ran{}, err
		}
		s.process = p
	}
	a, err := s.process.run(ctx, s.dir, argv, limit)
	if err != nil || a.Over {
		p := s.process
		s.Close()
		err = p.wrap(err)
	}
	ran := Ran{Status: a.Status, Out: a.Out}
	if a.Fault != "" {
		err = errors.Join(err, errors.New(a.Fault))
	}
	hosts, readErr := s.asked()
	ran.Hosts = hosts
	return ran, errors.Join(err, readErr)
}

// Close ends the session's process. The next command would get another.
func (s *Session) Close() {
	if s.process != nil {
		s.process.end()
		s.process = nil
	}
}

func (s *Session) node(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, "node"), args...)
	if _, err := os.Stat(cmd.Path); err != nil { // the machine's own is new enough
		cmd = exec.Command("node", args...)
	}
	cmd.Dir, cmd.Env = s.dir, s.env
	return cmd
}

// wrap adds what a process that has ended wrote to why it is of no more use.
func (p *served) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w\n%s", err, p.spilled)
}

// asked reads which hosts were asked since the last call.
func (s *Session) asked() ([]string, error) {
	text, err := os.ReadFile(s.connects)
	if err != nil {
		return nil, err
	}
	hosts := strings.Fields(string(text[s.seen:]))
	s.seen = len(text)
	domain := ""
	for _, entry := range s.env {
		if value, ok := strings.CutPrefix(entry, "CONNECTS_DOMAIN="); ok {
			domain = value
		}
	}
	hosts = slices.DeleteFunc(hosts, func(host string) bool {
		return host == domain || strings.HasSuffix(host, "."+domain) || strings.HasPrefix(host, "127.") || host == "localhost"
	})
	slices.Sort(hosts)
	return slices.Compact(hosts), nil
}
