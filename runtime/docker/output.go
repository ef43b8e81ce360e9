package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"renga/runtime/engine"
)

// ReadOutput implements [engine.OutputReader]. The daemon hands out what its
// log files hold: what it rotated away is not told.
func (e *Engine) ReadOutput(ctx context.Context, id string, since time.Time, tell func(engine.Printed)) error {
	api, c, err := e.find(ctx, id)
	if err != nil || c == nil {
		return err
	}
	options := container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: true, Timestamps: true}
	if !since.IsZero() {
		options.Since = fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond())
	}
	logs, err := api.ContainerLogs(ctx, id, options)
	switch {
	case gone(err):
		return nil
	case err != nil:
		return fmt.Errorf("read output of dyno %s: %w", c.Config.Labels[labelDyno], e.fault(err))
	}
	_, err = stdcopy.StdCopy(&printer{tell: tell}, &printer{tell: tell, stderr: true}, logs)
	if err = errors.Join(err, logs.Close(), ctx.Err()); err != nil {
		return fmt.Errorf("read output of dyno %s: %w", c.Config.Labels[labelDyno], e.fault(err))
	}
	return e.ended(ctx, id)
}

// errMoreToCome says that the output of a dyno that runs broke off.
var errMoreToCome = errors.New("the output broke off while the dyno runs")

// ended makes sure that output ended because the dyno did: a daemon that is
// shut down ends it in good order too.
func (e *Engine) ended(ctx context.Context, id string) error {
	_, c, err := e.find(ctx, id)
	if err != nil || c == nil || !c.State.Running {
		return err
	}
	return fmt.Errorf("read output of dyno %s: %w", c.Config.Labels[labelDyno], errMoreToCome)
}

// printer is one stream. Each Write is one message of the daemon's: a time, a
// space, and a line or, without a newline at the end, a part of one.
type printer struct {
	tell   func(engine.Printed)
	stderr bool
}

// Write never fails.
func (p *printer) Write(message []byte) (int, error) {
	stamp, text, _ := bytes.Cut(message, []byte{' '})
	line, whole := bytes.CutSuffix(text, []byte{'\n'})
	p.tell(engine.Printed{Time: timestamp(string(stamp)), Stderr: p.stderr, Text: string(line), More: !whole})
	return len(message), nil
}
