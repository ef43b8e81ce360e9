package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/rogpeppe/go-internal/testscript"
)

// Script is one running script: its platform and the images that it made.
type Script struct {
	Platform *Platform

	images map[string]v1.Image
	words  map[string]Word
	abs    func(string) string // a path as the script means it
	getenv func(string) string // of the script
	setenv func(name, value string)
	last   string        // stdout of the word before
	tail   io.ReadCloser // the log that is followed
}

// Getenv reads a variable of the script's environment.
func (s *Script) Getenv(name string) string { return s.getenv(name) }

// Setenv sets a variable of the script's environment.
func (s *Script) Setenv(name, value string) { s.setenv(name, value) }

// Abs makes a path of the script's absolute: it is relative to where the script
// went with cd.
func (s *Script) Abs(path string) string { return s.abs(path) }

type scriptKey struct{}

// Word is a word of scripts. What it prints is the script's stdout; its error
// fails the script, unless the word is negated, and is its stderr.
type Word func(ctx context.Context, s *Script, out io.Writer, args []string) error

// Scripts says how the scripts of a directory are run: each in a platform of its
// own, made with the options, with the words of the package comment and more.
func (k *Kit) Scripts(dir string, more map[string]Word, options ...Option) testscript.Params {
	all := words()
	maps.Copy(all, more)
	return testscript.Params{
		Dir: dir, RequireUniqueNames: true, Cmds: commands(all),
		Setup: func(env *testscript.Env) error { return k.setup(env, all, options) },
	}
}

func (k *Kit) setup(env *testscript.Env, all map[string]Word, options []Option) error {
	tb, ok := env.T().(testing.TB)
	if !ok {
		return errors.New("scripts are run by testscript.Run only")
	}
	w := k.Platform(tb, options...)
	env.Setenv("DOMAIN", w.Domain)
	env.Setenv("REGISTRY", w.Registry())
	env.Setenv("DATA", w.Dir)
	env.Setenv("ADDR", w.Addr)
	env.Setenv("PORT", strings.TrimPrefix(w.Addr, "127.0.0.1:"))
	env.Setenv("BASTION", OwnAddress(0))
	env.Values[scriptKey{}] = &Script{Platform: w, images: map[string]v1.Image{}, words: all}
	return nil
}

// ErrNoOutcome is the error of a word that came to no end of its own, so that it
// has neither succeeded nor failed: it fails a script that expects a failure, too.
var ErrNoOutcome = errors.New("no outcome")

// commands makes words into what testscript runs.
func commands(all map[string]Word) map[string]func(*testscript.TestScript, bool, []string) {
	cmds := map[string]func(*testscript.TestScript, bool, []string){}
	for name, do := range all {
		cmds[name] = func(ts *testscript.TestScript, neg bool, args []string) { runCommand(ts, neg, name, do, args) }
	}
	return cmds
}

// runCommand runs one word of a script.
func runCommand(ts *testscript.TestScript, neg bool, name string, do Word, args []string) {
	s := ts.Value(scriptKey{}).(*Script) // setup put it there
	s.abs, s.getenv, s.setenv, s.last = ts.MkAbs, ts.Getenv, ts.Setenv, ts.ReadFile("stdout")
	var out bytes.Buffer
	err := do(context.Background(), s, &out, args)
	fmt.Fprint(ts.Stdout(), out.String())
	switch {
	case errors.Is(err, ErrNoOutcome):
		ts.Fatalf("%s: %v\n%s", name, err, out.String())
	case neg && err == nil:
		ts.Fatalf("%s succeeded unexpectedly:\n%s", name, out.String())
	case neg:
		fmt.Fprintln(ts.Stderr(), err)
	case err != nil:
		ts.Fatalf("%s: %v\n%s", name, err, out.String())
	}
}

// OwnAddress is an address of this machine that no other run of the tests takes, for
// what must listen on a port that is always the same: the nth, up to 9.
func OwnAddress(n int) string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 22+n, pid/250%250, pid%250+1)
}
