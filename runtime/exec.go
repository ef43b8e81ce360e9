package runtime

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"renga"
	"renga/runtime/engine"
)

// Exec readies a command in the running dyno of that name. The line is for the
// image's shell, and words where that is missing; an empty one is a shell.
func (m *Manager) Exec(ctx context.Context, app renga.AppID, name, line string, terminal *renga.Window) (*Execution, error) {
	execer, ok := m.engine.(engine.Execer)
	if !ok {
		return nil, renga.Errorf(renga.Unavailable, "Commands in running dynos are more than this engine can do.")
	}
	i, err := m.running(ctx, app, name)
	if err != nil {
		return nil, err
	}
	return &Execution{m: m, execer: execer, instance: i, line: line, terminal: terminal}, nil
}

// running finds the instance of a dyno that runs, of two the newer one.
func (m *Manager) running(ctx context.Context, app renga.AppID, name string) (engine.Instance, error) {
	instances, err := m.engine.List(ctx, app)
	m.stats.engine(err)
	if err != nil {
		return engine.Instance{}, fmt.Errorf("list dynos: %w", err)
	}
	instances = slices.DeleteFunc(instances, func(i engine.Instance) bool { return i.Name != name || i.State != engine.Running })
	if len(instances) == 0 {
		return engine.Instance{}, renga.Errorf(renga.NotFound, "Dyno %s does not run.", name)
	}
	return slices.MaxFunc(instances, func(a, b engine.Instance) int { return a.StartedAt.Compare(b.StartedAt) }), nil
}

// Execution is a command in a running dyno.
type Execution struct {
	m        *Manager
	execer   engine.Execer
	instance engine.Instance
	line     string
	terminal *renga.Window
	stream   engine.Stream
}

// Begin starts the command.
func (x *Execution) Begin(ctx context.Context) (engine.Stream, error) {
	var err error
	for _, argv := range x.tries() {
		x.stream, err = x.execer.Exec(ctx, x.instance.ID, argv, x.terminal)
		if renga.KindOf(err) != renga.Invalid {
			return x.stream, err
		}
	}
	if x.line == "" {
		return nil, renga.Errorf(renga.Invalid, "There is no shell in the image; name a command.")
	}
	return nil, err
}

// tries are the ways to run the line, the best first.
func (x *Execution) tries() [][]string {
	made := len(x.instance.Command) > 0 && strings.HasPrefix(x.instance.Command[0], "/cnb/process/")
	switch {
	case x.line == "" && made:
		return [][]string{{launcher, "bash"}}
	case x.line == "":
		return [][]string{{"/bin/bash"}, {"/bin/sh"}}
	case made:
		return [][]string{{launcher, x.line}}
	}
	return [][]string{{"/bin/sh", "-c", x.line}, strings.Fields(x.line)}
}

// Close hangs up. The app's log gets the reason, when there is one to tell.
func (x *Execution) Close(_ context.Context, reason string) error {
	if x.stream == nil {
		return nil
	}
	if reason != "" {
		x.m.say(x.instance.App, x.instance.Name, "%s", reason)
	}
	return x.stream.Close()
}
