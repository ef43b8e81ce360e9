package container

import (
	"context"
	"fmt"
	"time"

	"renga"
	"renga/docker"
	"renga/printed"
)

const (
	// ahead is how many messages may have been read and not yet kept.
	ahead = 64
	// followPause is until output that broke off is read again.
	followPause = time.Second
)

// follow keeps what a container prints in the log of the app that its add-on was
// made for, until it has ended or ctx ends. What goes wrong on the way is tried
// again, from where it broke off.
func (p *Provider) follow(ctx context.Context, c docker.Container) {
	a := fromLabels(c.Labels)
	bound := &flood{left: burst, at: p.Now()}
	for {
		err := p.read(ctx, a, c, bound)
		if err == nil || ctx.Err() != nil {
			if p.endFollow(ctx, c.ID) {
				return
			}
			continue
		}
		p.Log.Debug("a service's output broke off", "addon", a.Name, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(followPause):
		}
	}
}

// read reads until the output ends or breaks off. What was read is kept when it
// returns.
func (p *Provider) read(ctx context.Context, a renga.AddOn, c docker.Container, bound *flood) error {
	lines := printed.Resume(p.Logs.Mark(a.App, c.ID), a.Service)
	read := func(since time.Time, each func(printed.Message)) error {
		return c.Follow(ctx, since, func(m docker.Printed) { each(printed.Message(m)) })
	}
	return lines.Read(ctx, ahead, read, func(some []renga.LogLine) {
		p.Logs.Keep(a.App, c.ID, bound.pass(some, a.Service, p.Now()), lines.Mark())
	})
}

const (
	// burst is how many lines a service may print at once, and perSecond how many
	// for long: the log is the app's own.
	burst     = 1000
	perSecond = 100
	// floodPause is the least time between two times that it is told of.
	floodPause = 10 * time.Second
)

// flood bounds how much of what a service prints is kept.
type flood struct {
	left    float64 // lines
	at      time.Time
	dropped int
	told    time.Time
}

// pass gives the lines that are kept, and one about those that were not.
func (f *flood) pass(lines []renga.LogLine, name string, now time.Time) []renga.LogLine {
	f.left = min(burst, f.left+perSecond*now.Sub(f.at).Seconds())
	f.at = now
	n := min(len(lines), int(max(f.left, 0)))
	f.left -= float64(n)
	f.dropped += len(lines) - n
	lines = lines[:n]
	if f.dropped > 0 && now.Sub(f.told) >= floodPause {
		lines = append(lines, renga.LogLine{Time: now, Source: renga.SourceHeroku, Dyno: name, Text: fmt.Sprintf(
			"Error L10 (output buffer overflow) -> %d lines were dropped: it prints more than %d a second", f.dropped, perSecond)})
		f.dropped, f.told = 0, now
	}
	return lines
}
