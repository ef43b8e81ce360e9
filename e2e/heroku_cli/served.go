package herokucli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"renga/children"
	"renga/e2e"
)

// commandTimeout is how long a command may take. The longest are deploys.
const commandTimeout = 3 * time.Minute

// cli is the official CLI, installed in bin, and its processes that serve several
// commands: one per story and account.
type cli struct {
	bin string

	mu     sync.Mutex
	served map[string][]*served // by the story's directory
	counts map[string]*counts   // likewise
}

// counts tell how a story's commands were run.
type counts struct{ own, served, processes int }

func (n counts) String() string {
	return fmt.Sprintf("%d commands in processes of their own, %d in %d shared ones", n.own, n.served, n.processes)
}

// count changes what is counted for a story.
func (c *cli) count(s *e2e.Script, change func(n *counts)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	story := s.Getenv("WORK")
	if c.counts[story] == nil {
		c.counts[story] = &counts{}
	}
	change(c.counts[story])
}

// served is a process of the CLI that serves one command after the other.
type served struct {
	as      string // the environment that it was started in
	cmd     *exec.Cmd
	spilled *bytes.Buffer // what it wrote beside its answers, whole after end
	ask     *os.File
	answers *bufio.Reader
	heard   *os.File // under answers
}

// answer is what came of a command.
type answer struct {
	Status int    `json:"status"`
	Out    string `json:"out"`
	Over   bool   `json:"over"`
	Fault  string `json:"fault"`
}

// heroku runs the CLI the way that people are told to: after evaluating what
// `renga env` prints.
func (c *cli) heroku(ctx context.Context, s *e2e.Script, out io.Writer, args []string) error {
	input, rest, err := inputOf(s, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 && !getsOwn(filepath.Base(s.Getenv("WORK")), rest[0], input != nil) {
		c.count(s, func(n *counts) { n.served++ })
		return c.ask(ctx, s, out, rest)
	}
	c.count(s, func(n *counts) { n.own++ })
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	err = user(ctx, c.bin, s, input, out, out, "heroku", rest...)
	if ctx.Err() != nil {
		return fmt.Errorf("%w: heroku %s has not ended after %s", e2e.ErrNoOutcome, strings.Join(rest, " "), commandTimeout)
	}
	return err
}

// ask has a process that serves commands run one.
func (c *cli) ask(ctx context.Context, s *e2e.Script, out io.Writer, argv []string) error {
	p, err := c.process(ctx, s, out)
	if err != nil {
		return err
	}
	a, err := p.run(ctx, s.Abs("."), argv, commandTimeout)
	if err != nil || a.Over {
		c.drop(s, p)
	}
	fmt.Fprint(out, a.Out)
	switch {
	case err != nil:
		return fmt.Errorf("%w: heroku %s: %w\n%s", e2e.ErrNoOutcome, strings.Join(argv, " "), err, p.spilled)
	case a.Fault != "":
		return fmt.Errorf("%w: heroku %s: %s", e2e.ErrNoOutcome, strings.Join(argv, " "), a.Fault)
	case a.Status != 0:
		return fmt.Errorf("exit status %d", a.Status)
	}
	return nil
}

// process is the one that serves the script's user as they are now: in the very
// environment that a command of its own would have. What `renga env` notes about
// that goes to out.
func (c *cli) process(ctx context.Context, s *e2e.Script, out io.Writer) (*served, error) {
	var env bytes.Buffer
	if err := user(ctx, c.bin, s, nil, &env, out, "env", "-0"); err != nil {
		return nil, err
	}
	as, story := env.String(), s.Getenv("WORK")
	if p := c.known(story, as); p != nil {
		return p, nil
	}
	c.count(s, func(n *counts) { n.processes++ })
	p, err := c.serve(s)
	if err != nil {
		return nil, err
	}
	p.as = as
	c.mu.Lock()
	defer c.mu.Unlock()
	c.served[story] = append(c.served[story], p)
	return p, nil
}

// known is a story's process in an environment, if there is one.
func (c *cli) known(story, as string) *served {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.served[story] {
		if p.as == as {
			return p
		}
	}
	return nil
}

// serve starts a process for a script's user.
func (c *cli) serve(s *e2e.Script) (*served, error) {
	return serve(c.bin, func(args ...string) *exec.Cmd { return as(context.Background(), c.bin, s, "node", args...) })
}

// serve starts a process of the CLI in bin, with the command that node makes: Node
// with those arguments.
func serve(bin string, node func(args ...string) *exec.Cmd) (*served, error) {
	program, err := filepath.Abs("many.mjs")
	if err != nil {
		return nil, err
	}
	theirs, ask, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	answers, said, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, theirs.Close(), ask.Close())
	}
	cmd := node("--no-deprecation", program, filepath.Join(filepath.Dir(bin), "heroku"))
	spilled := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = spilled, spilled // pipes, as commands of their own have
	cmd.ExtraFiles = []*os.File{theirs, said}
	err = children.Start(cmd, syscall.SIGKILL)
	if err := errors.Join(err, theirs.Close(), said.Close()); err != nil {
		return nil, errors.Join(err, ask.Close(), answers.Close())
	}
	return &served{cmd: cmd, spilled: spilled, ask: ask, answers: bufio.NewReader(answers), heard: answers}, nil
}

// run runs one command. After an error the process is of no more use.
func (p *served) run(ctx context.Context, dir string, argv []string, limit time.Duration) (answer, error) {
	asked, err := json.Marshal(map[string]any{"dir": dir, "argv": argv, "timeout": limit.Milliseconds()})
	if err != nil {
		return answer{}, err
	}
	if _, err := p.ask.Write(append(asked, '\n')); err != nil {
		return answer{}, err
	}
	// It tells by itself what does not end, unless it cannot even do that.
	ctx, cancel := context.WithTimeout(ctx, limit+10*time.Second)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		_ = p.heard.SetReadDeadline(time.Unix(1, 0)) // a pipe takes one
	})()
	line, err := p.answers.ReadBytes('\n')
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return answer{}, fmt.Errorf("no answer: %w", ctx.Err())
	case err != nil:
		return answer{}, fmt.Errorf("the CLI's process has ended: %w", err)
	}
	var a answer
	return a, json.Unmarshal(line, &a)
}

// end ends the process.
func (p *served) end() {
	_ = p.cmd.Process.Kill() // it keeps nothing
	_ = p.cmd.Wait()         // killed
	_ = p.ask.Close()        // nobody reads it any more
	_ = p.heard.Close()      // nobody writes to it any more
}

// drop ends a process that is of no more use; the next command gets another.
func (c *cli) drop(s *e2e.Script, p *served) {
	c.mu.Lock()
	defer c.mu.Unlock()
	story := s.Getenv("WORK")
	c.served[story] = slices.DeleteFunc(c.served[story], func(other *served) bool { return other == p })
	p.end()
}

// leave ends the processes of a story, and tells how its commands were run.
func (c *cli) leave(story string) counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.served[story] {
		p.end()
	}
	delete(c.served, story)
	if n := c.counts[story]; n != nil {
		return *n
	}
	return counts{}
}
