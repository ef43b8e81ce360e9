package docker

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"renga"
	"renga/docker"
	"renga/runtime/engine"
)

// Exec implements [engine.Execer].
func (e *Engine) Exec(
	ctx context.Context, id string, argv []string, terminal *renga.Window,
) (engine.Stream, error) {
	c, err := e.docker.InspectRunning(ctx, id)
	if err != nil {
		return nil, err
	}
	// The daemon tells of a command that is missing only in the output.
	if path.IsAbs(argv[0]) {
		if _, err := c.Lstat(ctx, argv[0]); errors.Is(err, fs.ErrNotExist) {
			return nil, renga.Errorf(renga.Invalid, "There is no %s in the image.", argv[0])
		}
	}
	x, err := c.Exec(ctx, argv, terminal)
	if err != nil {
		return nil, err
	}
	return execution{x}, nil
}

// execution is the stream of a command beside the dyno's own.
type execution struct{ *docker.Execution }

// Begin does nothing: the command has begun.
func (x execution) Begin(context.Context) error { return nil }
