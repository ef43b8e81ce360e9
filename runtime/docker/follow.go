package docker

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Follow implements [runtime.Follower]. An instance that is gone has printed
// nothing.
func (e *Engine) Follow(ctx context.Context, id string, w io.Writer) error {
	api, c, err := e.find(ctx, id)
	if err != nil || c == nil {
		return err
	}
	logs, err := api.ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: true})
	if gone(err) {
		return nil
	}
	if err == nil {
		_, err = stdcopy.StdCopy(w, w, logs)
		err = errors.Join(err, logs.Close())
	}
	if err != nil {
		return fmt.Errorf("follow output of dyno %s: %w", c.Config.Labels[labelDyno], e.fault(err))
	}
	return nil
}
