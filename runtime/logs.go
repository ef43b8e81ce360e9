package runtime

import (
	"context"
	"fmt"
	"slices"
	"time"

	"renga"
	"renga/printed"
	"renga/runtime/engine"
)

// Logs keeps what dynos print, and what the platform says of them.
type Logs interface {
	// Line adds a line of now.
	Line(app renga.AppID, source, dyno, text string)
	// Keep adds what an instance printed, and how far that is, in one piece.
	Keep(app renga.AppID, instance string, lines []renga.LogLine, mark renga.LogMark)
	// Mark is how far an instance's output has been kept; zero for not at all.
	Mark(app renga.AppID, instance string) renga.LogMark
	// Forget drops the mark of an instance that is gone; all of the app's log
	// when no instance is named.
	Forget(app renga.AppID, instance string) error
	// Apps lists the apps that have a log.
	Apps() ([]renga.AppID, error)
}

// noLogs keeps nothing.
type noLogs struct{}

func (noLogs) Line(renga.AppID, string, string, string)                 {}
func (noLogs) Keep(renga.AppID, string, []renga.LogLine, renga.LogMark) {}
func (noLogs) Mark(renga.AppID, string) (m renga.LogMark)               { return m }
func (noLogs) Forget(renga.AppID, string) error                         { return nil }
func (noLogs) Apps() ([]renga.AppID, error)                             { return nil, nil }

const (
	// ahead is how many messages may have been read and not yet kept.
	ahead = 1024
	// lastWords is how long the end of a dyno waits for its last lines.
	lastWords = 5 * time.Second
)

func (m *Manager) say(app renga.AppID, dyno, format string, args ...any) {
	m.opts.Logs.Line(app, renga.SourceHeroku, dyno, fmt.Sprintf(format, args...))
}

// followLocked begins to keep what an instance prints, unless that goes on
// already. What an attached one prints is its client's alone.
func (w *watch) followLocked(ctx context.Context, i engine.Instance) {
	reader, ok := w.m.engine.(engine.OutputReader)
	if !ok || w.kept != nil || i.State == engine.Created || i.Attached {
		return
	}
	kept := make(chan struct{})
	w.kept = kept
	w.tasks.Go(func() {
		defer close(kept)
		f := &follower{w: w, reader: reader, Instance: i}
		f.run(ctx)
	})
}

// awaitLastLines waits until all that an ended instance printed is kept, or for
// as long as is decent.
func (w *watch) awaitLastLines(ctx context.Context) {
	w.mu.Lock()
	kept := w.kept
	w.mu.Unlock()
	if kept == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	select {
	case <-kept:
	case <-ctx.Done():
	}
}

// follower keeps the output of one instance.
type follower struct {
	engine.Instance
	w      *watch
	reader engine.OutputReader
	lines  *printed.Reader
}

// run follows until the instance has ended and its end is told, or ctx ends.
// What goes wrong on the way is tried again, from the mark on.
func (f *follower) run(ctx context.Context) {
	mark := f.w.m.opts.Logs.Mark(f.App, f.ID)
	b := backoff{}
	for !mark.Ended && ctx.Err() == nil {
		f.lines = printed.Resume(mark, f.Name)
		err := f.read(ctx)
		mark = f.lines.Mark()
		if err == nil {
			err = f.end(ctx, &mark)
		}
		if err == nil || ctx.Err() != nil {
			break
		}
		if renga.KindOf(err) != renga.Unavailable {
			b.log(ctx, f.w.logger(), "dyno's output broke off", err)
		}
		wait(ctx, b.next())
	}
	if mark.Ended {
		f.remember(ctx)
	}
}

// read reads until the output ends or breaks off. What was read is kept when
// it returns.
func (f *follower) read(ctx context.Context) error {
	read := func(since time.Time, each func(printed.Message)) error {
		return f.reader.ReadOutput(ctx, f.ID, since, func(p engine.Printed) { each(printed.Message(p)) })
	}
	return f.lines.Read(ctx, ahead, read, func(lines []renga.LogLine) {
		f.w.m.opts.Logs.Keep(f.App, f.ID, lines, f.lines.Mark())
	})
}

// end tells how the instance ended, once for all times. One that somebody
// removed is told of no more.
func (f *follower) end(ctx context.Context, mark *renga.LogMark) error {
	brief, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	all, err := f.w.m.engine.List(brief, f.App)
	if err != nil {
		return fmt.Errorf("list dynos: %w", err)
	}
	mark.Ended = true
	at := slices.IndexFunc(all, func(i engine.Instance) bool { return i.ID == f.ID && i.State == engine.Exited })
	if at < 0 {
		return f.w.m.opts.Logs.Forget(f.App, f.ID)
	}
	f.w.m.opts.Logs.Keep(f.App, f.ID, f.w.m.exitLines(all[at]), *mark)
	return nil
}

// exitLines are what the platform says of an instance that ended. That it ran out
// of memory may have been told at the event.
func (m *Manager) exitLines(i engine.Instance) []renga.LogLine {
	var lines []renga.LogLine
	say := func(text string) {
		lines = append(lines, renga.LogLine{Time: i.FinishedAt, Source: renga.SourceHeroku, Dyno: i.Name, Text: text})
	}
	if i.OOMKilled {
		if m.toldOfMemory.allow(i.ID, m.opts.Now(), r15Pause) {
			say(r15(i))
		}
		say("Stopping process with SIGKILL")
	}
	say(fmt.Sprintf("Process exited with status %d", i.ExitCode))
	return lines
}

// remember has the dyno's record tell its last lines.
func (f *follower) remember(ctx context.Context) {
	lines := f.w.tail(ctx, f.ID)
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	f.w.lastLines = lines
	f.w.lookAgain()
}
