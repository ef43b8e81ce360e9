package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/rogpeppe/go-internal/testscript"

	"renga/e2e"
)

// script is one running script: its world and the images that it made.
type script struct {
	world  *e2e.World
	images map[string]v1.Image
	getenv func(string) string // of the script
	setenv func(name, value string)
	last   string // stdout of the word before
}

type scriptKey struct{}

// word is one of the words listed in the package comment of e2e. What it prints
// is the script's stdout.
type word func(ctx context.Context, s *script, out io.Writer, args []string) error

// words is a function because some words run other words.
func words() map[string]word {
	return map[string]word{
		"renga": renga, "image": image, "push": push, "api": api, "curl": curl,
		"containers": containers, "docker": docker, "redis": redis,
		"capture": capture, "waitfor": waitfor, "waitup": waitup, "waitgone": waitgone,
	}
}

// params makes a world for every script.
func params() testscript.Params {
	return testscript.Params{Dir: "testdata", Setup: setup, Cmds: commands(), RequireUniqueNames: true}
}

func setup(env *testscript.Env) error {
	tb, ok := env.T().(testing.TB)
	if !ok {
		return errors.New("scripts are run by testscript.Run only")
	}
	w := kit.World(tb)
	env.Setenv("DOMAIN", w.Domain)
	env.Setenv("REGISTRY", w.Registry())
	env.Setenv("DATA", w.Dir)
	env.Setenv("ADDR", w.Addr)
	env.Setenv("PORT", strings.TrimPrefix(w.Addr, "127.0.0.1:"))
	env.Values[scriptKey{}] = &script{world: w, images: map[string]v1.Image{}}
	return nil
}

func commands() map[string]func(*testscript.TestScript, bool, []string) {
	all := map[string]func(*testscript.TestScript, bool, []string){}
	for name, do := range words() {
		all[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			s := ts.Value(scriptKey{}).(*script) // setup put it there
			s.getenv, s.setenv, s.last = ts.Getenv, ts.Setenv, ts.ReadFile("stdout")
			var out bytes.Buffer
			err := do(context.Background(), s, &out, args)
			fmt.Fprint(ts.Stdout(), out.String())
			switch {
			case neg && err == nil:
				ts.Fatalf("%s succeeded unexpectedly:\n%s", name, out.String())
			case neg:
				fmt.Fprintln(ts.Stderr(), err)
			case err != nil:
				ts.Fatalf("%s: %v\n%s", name, err, out.String())
			}
		}
	}
	return all
}

func renga(ctx context.Context, s *script, out io.Writer, args []string) error {
	if len(args) == 0 {
		return errors.New("usage: renga start|launch|stop|kill|restart|log|run …")
	}
	switch rest := args[1:]; args[0] {
	case "start":
		return s.world.Start(ctx, rest...)
	case "launch":
		return s.world.Launch(rest...)
	case "stop":
		return s.world.Stop()
	case "kill":
		return s.world.Kill()
	case "restart":
		return s.world.Restart(ctx)
	case "log":
		fmt.Fprint(out, s.world.Log())
		return nil
	case "run":
		stdout, stderr, err := s.world.Run(ctx, rest...)
		fmt.Fprint(out, stdout, stderr)
		return err
	}
	return fmt.Errorf("renga %s: no such word", args[0])
}

// pairs collects flags of the form -name k=v.
type pairs []string

func (p *pairs) String() string     { return strings.Join(*p, " ") }
func (p *pairs) Set(s string) error { *p = append(*p, s); return nil }

func image(_ context.Context, s *script, _ io.Writer, args []string) error {
	var spec e2e.Image
	var labels, env pairs
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.Var(&labels, "label", "k=v")
	flags.Var(&env, "env", "k=v")
	flags.StringVar(&spec.Platform, "platform", "", "os/arch")
	flags.BoolVar(&spec.Bare, "bare", false, "no command")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("usage: image [flags] NAME [VERB ARGS…]")
	}
	spec.Version, spec.Command, spec.Env = flags.Arg(0), flags.Args()[1:], env
	spec.Labels = map[string]string{}
	for _, label := range labels {
		name, value, _ := strings.Cut(label, "=")
		spec.Labels[name] = value
	}
	img, err := s.world.Image(spec)
	s.images[spec.Version] = img
	return err
}

func push(ctx context.Context, s *script, out io.Writer, args []string) error {
	how := ""
	if len(args) == 3 {
		how, args = args[0], args[1:]
	}
	if len(args) != 2 {
		return errors.New("usage: push [docker|crane] NAME REPOSITORY")
	}
	img, ok := s.images[args[0]]
	if !ok {
		return fmt.Errorf("no image %q was made", args[0])
	}
	var printed string
	var err error
	switch how {
	case "":
		err = s.world.PushImage(ctx, args[1], img)
	case "docker":
		printed, err = s.world.DockerPush(ctx, args[1], img)
	case "crane":
		printed, err = s.world.CranePush(ctx, args[1], img)
	default:
		err = fmt.Errorf("no such client: %s", how)
	}
	fmt.Fprint(out, printed)
	return err
}

// api asks as the operator, or with the token in the script's RENGA_TOKEN.
func api(ctx context.Context, s *script, out io.Writer, args []string) error {
	if len(args) < 2 || len(args) > 3 {
		return errors.New("usage: api METHOD PATH [BODY]")
	}
	token := s.getenv("RENGA_TOKEN")
	if token == "" {
		var err error
		if token, err = s.world.Token(ctx); err != nil {
			return err
		}
	}
	var body any
	if len(args) == 3 {
		body = args[2]
	}
	answer, err := s.world.APIAs(ctx, token, args[0], args[1], body)
	if err != nil {
		return err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, answer.Body); err != nil {
		compact.Reset()
		compact.Write(answer.Body)
	}
	fmt.Fprintf(out, "%d\n%s\n", answer.Status, compact.String())
	return refused(answer)
}

func curl(ctx context.Context, s *script, out io.Writer, args []string) error {
	headers := len(args) > 0 && args[0] == "-i"
	if headers {
		args = args[1:]
	}
	if len(args) != 2 {
		return errors.New("usage: curl [-i] HOST PATH")
	}
	answer, err := s.world.Get(ctx, args[0], args[1])
	if err != nil {
		return err
	}
	fmt.Fprintln(out, answer.Status)
	if headers {
		_ = answer.Header.Write(out) // a buffer
	}
	fmt.Fprintf(out, "%s", answer.Body)
	return refused(answer)
}

// refused is an error for a status of 400 and above.
func refused(a e2e.Answer) error {
	if a.Status < 400 {
		return nil
	}
	return fmt.Errorf("answered %d", a.Status)
}

func containers(ctx context.Context, s *script, out io.Writer, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: containers APP")
	}
	dynos, err := s.world.Containers(ctx, args[0])
	for _, d := range dynos {
		fmt.Fprintf(out, "%s v%d %s\n", d.Dyno, d.Release, d.ID[:12])
	}
	return err
}

func docker(ctx context.Context, s *script, out io.Writer, args []string) error {
	printed, err := s.world.Docker(ctx, args...)
	fmt.Fprint(out, printed)
	return err
}

func redis(ctx context.Context, s *script, out io.Writer, args []string) error {
	sockets, err := filepath.Glob(filepath.Join(s.world.Dir, "redis", "*.sock"))
	if err != nil || len(sockets) != 1 {
		return fmt.Errorf("want one Redis socket, have %q: %w", sockets, err)
	}
	printed, err := exec.CommandContext(ctx, "redis-cli", append([]string{"-s", sockets[0]}, args...)...).CombinedOutput()
	fmt.Fprintf(out, "%s", printed)
	return err
}

func capture(_ context.Context, s *script, out io.Writer, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: capture NAME PATTERN")
	}
	fmt.Fprint(out, s.last) // for the next word to look at
	pattern, err := regexp.Compile("(?m)" + args[1])
	if err != nil {
		return err
	}
	found := pattern.FindStringSubmatch(s.last)
	if len(found) != 2 {
		return fmt.Errorf("no match of %q with one group in:\n%s", args[1], s.last)
	}
	s.setenv(args[0], found[1])
	return nil
}

func waitfor(ctx context.Context, s *script, out io.Writer, args []string) error {
	var patterns []*regexp.Regexp
	if i := slices.Index(args, "--"); i >= 0 {
		for _, text := range args[i+1:] {
			pattern, err := regexp.Compile("(?m)" + text)
			if err != nil {
				return err
			}
			patterns = append(patterns, pattern)
		}
		args = args[:i]
	}
	if len(args) == 0 || words()[args[0]] == nil {
		return errors.New("usage: waitfor WORD ARGS… [-- PATTERN…]")
	}
	var last string
	err := e2e.Poll(ctx, func() error {
		var printed strings.Builder
		err := words()[args[0]](ctx, s, &printed, args[1:])
		last = printed.String()
		for _, pattern := range patterns {
			if err == nil && !pattern.MatchString(last) {
				err = fmt.Errorf("no match of %q", pattern)
			}
		}
		return err
	})
	fmt.Fprint(out, last)
	return err
}

func waitup(ctx context.Context, s *script, out io.Writer, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: waitup HOST TEXT")
	}
	return waitfor(ctx, s, out, []string{"curl", args[0], "/", "--", regexp.QuoteMeta(args[1])})
}

func waitgone(ctx context.Context, s *script, _ io.Writer, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: waitgone CONTAINER")
	}
	return e2e.Poll(ctx, func() error {
		running, err := s.world.Docker(ctx, "ps", "--quiet", "--filter", "id="+args[0])
		if err == nil && strings.TrimSpace(running) != "" {
			err = fmt.Errorf("container %s runs on", args[0])
		}
		return err
	})
}
