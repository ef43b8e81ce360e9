package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Printed is a line, or a part of a long one.
type Printed struct {
	Time   time.Time
	Stderr bool
	Text   string
	// More says that the line goes on in the next of the same stream.
	More bool
}

// Follow tells all that the container printed since a time, and goes on until it
// has ended and all was told; then, and for one that is gone, it returns nil. The
// daemon hands out what its log files hold: what it rotated away is not told.
func (c *Container) Follow(ctx context.Context, since time.Time, tell func(Printed)) error {
	api, err := c.client.api(ctx)
	if err != nil {
		return err
	}
	options := container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: true, Timestamps: true}
	if !since.IsZero() {
		options.Since = fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond())
	}
	logs, err := api.ContainerLogs(ctx, c.ID, options)
	switch {
	case gone(err):
		return nil
	case err != nil:
		return c.client.fault(err)
	}
	_, err = stdcopy.StdCopy(&printer{tell: tell}, &printer{tell: tell, stderr: true}, logs)
	if err = errors.Join(err, logs.Close(), ctx.Err()); err != nil {
		return c.client.fault(err)
	}
	return c.ended(ctx)
}

// errMoreToCome says that the output of a container that runs broke off.
var errMoreToCome = errors.New("the output broke off while the container runs")

// ended makes sure that output ended because the container did: a daemon that is
// shut down ends it in good order too.
func (c *Container) ended(ctx context.Context) error {
	now, err := c.client.Inspect(ctx, c.ID)
	if err != nil || now == nil || now.State != Running {
		return err
	}
	return errMoreToCome
}

// printer is one stream. Each Write is one message of the daemon's: a time, a
// space, and a line or, without a newline at the end, a part of one.
type printer struct {
	tell   func(Printed)
	stderr bool
}

// Write never fails.
func (p *printer) Write(message []byte) (int, error) {
	stamp, text, _ := bytes.Cut(message, []byte{' '})
	line, whole := bytes.CutSuffix(text, []byte{'\n'})
	p.tell(Printed{Time: timestamp(string(stamp)), Stderr: p.stderr, Text: string(line), More: !whole})
	return len(message), nil
}
