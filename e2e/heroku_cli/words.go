package herokucli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"renga/children"
	"renga/e2e"
)

// words are those that these stories have beyond package e2e's.
func (c *cli) words() map[string]e2e.Word {
	return map[string]e2e.Word{
		"heroku": c.heroku,
		"tunnel": func(ctx context.Context, s *e2e.Script, out io.Writer, args []string) error {
			return tunnel(ctx, c.bin, s, out, args)
		},
		"attach": func(ctx context.Context, s *e2e.Script, out io.Writer, args []string) error {
			return attach(ctx, c.bin, s, out, args)
		},
		"as": become, "dockerfile": dockerfile, "certificate": certificate,
	}
}

// attach runs the program for those without the CLI that is in docs.
func attach(ctx context.Context, bin string, s *e2e.Script, out io.Writer, args []string) error {
	input, args, err := inputOf(s, args)
	if err != nil {
		return err
	}
	program, err := filepath.Abs("../../docs/examples/attach.mjs")
	if err != nil {
		return err
	}
	return user(ctx, bin, s, input, out, out, "node", append([]string{"--experimental-websocket", program}, args...)...)
}

// inputOf takes "< FILE" from the front of arguments.
func inputOf(s *e2e.Script, args []string) (input io.Reader, rest []string, err error) {
	if len(args) < 2 || args[0] != "<" {
		return nil, args, nil
	}
	text, err := os.ReadFile(s.Abs(args[1]))
	return bytes.NewReader(text), args[2:], err
}

// user runs a program as somebody does who has evaluated what `renga env` prints.
func user(ctx context.Context, bin string, s *e2e.Script, input io.Reader, out, errOut io.Writer, program string, args ...string) error {
	cmd := as(ctx, bin, s, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, out, errOut
	return children.Run(cmd, syscall.SIGKILL)
}

// as is a program in a user's environment.
func as(ctx context.Context, bin string, s *e2e.Script, program string, args ...string) *exec.Cmd {
	const script = `set -e; environment=$("$RENGA" env ${RENGA_TOKEN:+--token "$RENGA_TOKEN"}); eval "$environment"; exec "$@"`
	cmd := exec.CommandContext(ctx, "bash", append([]string{"-c", script, "bash", program}, args...)...)
	cmd.Dir = s.Abs(".")
	cmd.Env = environment(bin, s)
	cmd.WaitDelay = 10 * time.Second // for children that hold its output open
	return cmd
}

// environment is that of a user who has nothing set up, but for the path to the
// programs. Whoever runs the tests must not be noticed, nor notice anything.
func environment(bin string, s *e2e.Script) []string {
	home := filepath.Join(s.Getenv("WORK"), "home")
	env := append(s.Platform.Env(),
		"HOME="+home, "XDG_CACHE_HOME="+home+"/.cache", "XDG_CONFIG_HOME="+home+"/.config", "XDG_DATA_HOME="+home+"/.local/share",
		"GIT_CONFIG_GLOBAL="+home+"/.gitconfig", "GIT_CONFIG_SYSTEM=/dev/null", "BROWSER=none",
		"OCLIF_COLUMNS=250", // sentences stay on one line, where stdout finds them
		"PATH="+bin+":"+filepath.Dir(dockerWithoutPlugin())+":"+os.Getenv("PATH"), "RENGA="+s.Platform.Renga())
	for _, name := range []string{"RENGA_TOKEN", "HEROKU_APP", "HEROKU_API_KEY", "NODE_OPTIONS"} {
		if value := s.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// dockerWithoutPlugin finds a docker command that container:push works with: the
// CLI gives newer ones flags that only their buildx plugin knows, and not every
// machine has that.
var dockerWithoutPlugin = sync.OnceValue(func() string {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		docker := filepath.Join(dir, "docker")
		version, err := exec.Command(docker, "version", "--format", "{{.Client.Version}}").Output()
		if err != nil {
			continue
		}
		major, _, _ := strings.Cut(string(version), ".")
		if n, err := strconv.Atoi(major); err == nil && n < 24 || exec.Command(docker, "buildx", "version").Run() == nil {
			return docker
		}
	}
	return "docker"
})

// become changes who the script is.
func become(ctx context.Context, s *e2e.Script, _ io.Writer, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: as EMAIL")
	}
	if args[0] == "operator" {
		s.Setenv("RENGA_TOKEN", "")
		return nil
	}
	known := "TOKEN_OF_" + args[0]
	if s.Getenv(known) == "" {
		printed, errText, err := s.Platform.Run(ctx, "account", args[0])
		if err != nil {
			return fmt.Errorf("renga account: %w: %s", err, errText)
		}
		token, _, _ := strings.Cut(printed, "\n") // the password comes after it
		s.Setenv(known, strings.TrimSpace(token))
	}
	s.Setenv("RENGA_TOKEN", s.Getenv(known))
	return nil
}

// dockerfile makes a folder from which container:push can build the test app.
func dockerfile(_ context.Context, s *e2e.Script, _ io.Writer, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: dockerfile NAME")
	}
	dir := s.Abs(args[0])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	program, err := os.ReadFile(s.Platform.App())
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "app"), program, 0o755); err != nil {
		return err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, `FROM scratch
COPY app /app
ENV PATH=/ APP_VERSION=%s
LABEL %s
ENTRYPOINT ["/app"]
CMD ["serve"]
`, args[0], s.Platform.Label())
	return os.WriteFile(filepath.Join(dir, "Dockerfile"), text.Bytes(), 0o644)
}
