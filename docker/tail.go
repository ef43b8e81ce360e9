package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"renga"
)

const (
	maxTailLines = 1500
	maxLineBytes = 10_000 // Heroku cuts there too
)

// Tail gives up to n last lines of stdout and stderr, oldest first. n is cut at
// 1500, a line at 10,000 bytes. A container that is gone has no lines.
func (c *Container) Tail(ctx context.Context, n int) ([]string, error) {
	n = min(n, maxTailLines)
	api, err := c.client.api(ctx)
	if err != nil || n <= 0 {
		return nil, err
	}
	logs, err := api.ContainerLogs(ctx, c.ID, container.LogsOptions{
		ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(n),
	})
	switch {
	case gone(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read output: %w", c.client.fault(err))
	}
	lines, err := lastLines(logs, n)
	if err = errors.Join(err, logs.Close()); err != nil {
		return nil, fmt.Errorf("read output: %w", c.client.fault(err))
	}
	return lines, nil
}

// lastLines reads a stream of frames, each of stdout or stderr and in the order
// in which Docker read them, into lines.
func lastLines(stream io.Reader, n int) ([]string, error) {
	all := &ring{most: n}
	out, errs := &lineWriter{to: all}, &lineWriter{to: all}
	_, err := stdcopy.StdCopy(out, errs, stream)
	out.flush()
	errs.flush()
	return all.lines, err
}

// ring keeps the last lines.
type ring struct {
	most  int
	lines []string
}

func (r *ring) add(line string) {
	if len(r.lines) == r.most {
		r.lines = append(r.lines[:0], r.lines[1:]...)
	}
	r.lines = append(r.lines, line)
}

// lineWriter puts one stream's frames together to lines: a frame may hold a
// part of a line, for Docker splits long ones.
type lineWriter struct {
	to      *ring
	partial []byte
}

// Write never fails.
func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		line, rest, whole := bytes.Cut(p, []byte{'\n'})
		w.partial = append(w.partial, line[:min(len(line), maxLineBytes+utf8.UTFMax-len(w.partial))]...)
		if !whole {
			return n, nil
		}
		w.end()
		p = rest
	}
}

func (w *lineWriter) end() {
	line := strings.TrimSuffix(renga.Head(string(w.partial), maxLineBytes), "\r")
	w.to.add(strings.ToValidUTF8(line, "\uFFFD"))
	w.partial = w.partial[:0]
}

// flush ends a last line without a newline.
func (w *lineWriter) flush() {
	if len(w.partial) > 0 {
		w.end()
	}
}
