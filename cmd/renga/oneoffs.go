package main

import (
	"context"
	"errors"
	"net"

	"renga"
	"renga/api/dynos"
	"renga/attach"
	"renga/runtime"
)

// oneOffs runs one-off dynos, and has attached ones wait for their clients.
type oneOffs struct {
	manager *runtime.Manager
	attach  *attach.Server
}

// RunOneOff runs a command; an attached one's client must know the secret.
func (o oneOffs) RunOneOff(
	ctx context.Context, app renga.App, asked renga.OneOff, still func(context.Context) error,
) (renga.Dyno, string, error) {
	d, session, err := o.manager.RunOneOff(ctx, app.ID, asked)
	if err != nil || session == nil {
		return d, "", err
	}
	return d, o.attach.Offer(attach.AttachedDyno{
		Session: sessions{session}, App: app.Name, Dyno: d.Name,
		Terminal: asked.Terminal != nil, Marked: asked.MarkExit, Still: still,
	}), nil
}

// scheduled runs one-off dynos for schedules.
type scheduled struct{ *runtime.Manager }

// RunOneOff starts a detached one.
func (s scheduled) RunOneOff(ctx context.Context, app renga.AppID, asked renga.OneOff) (renga.Dyno, error) {
	d, _, err := s.Manager.RunOneOff(ctx, app, asked)
	return d, err
}

// sessions are the dyno manager's as the attach server sees them.
type sessions struct{ *runtime.Session }

// Begin starts the dyno.
func (s sessions) Begin(ctx context.Context) (attach.Stream, error) { return s.Session.Begin(ctx) }

// Close ends it.
func (s sessions) Close(ctx context.Context, why error) error {
	return s.Session.Close(ctx, reasonOf(why))
}

// reasonOf is how the app's log tells what ended a talk; empty for what is no
// news.
func reasonOf(why error) string {
	switch {
	case errors.Is(why, attach.ErrAbsent):
		return "Error R13 (Attach error) -> Failed to attach to process: no client came within a minute"
	case errors.Is(why, attach.ErrIdle):
		return "Nothing was said for an hour, so the client's connection is closed. Sending SIGTERM to all processes"
	case errors.Is(why, attach.ErrForbidden):
		return "The right to this dyno has ended, so the client's connection is closed. Sending SIGTERM to all processes"
	}
	return ""
}

// dynoAccess lets people into running dynos over SSH.
type dynoAccess struct {
	*attach.Server
	manager *runtime.Manager
}

// Admit lets whoever has the key come into a dyno of the app.
func (d dynoAccess) Admit(app renga.App, dyno, key string, still func(context.Context) error) (string, error) {
	return d.Server.Admit(key, attach.SSHAccess{
		RunningDyno: runningDyno{d.manager, app.ID, dyno},
		App:         app.Name,
		Dyno:        dyno,
		Still:       still,
	})
}

// Exec has a command wait for their clients for whoever has the secret.
func (d dynoAccess) Exec(ctx context.Context, app renga.App, c dynos.Command) (string, error) {
	x, err := d.manager.Exec(ctx, app.ID, c.Dyno, c.Line, c.Terminal)
	if err != nil {
		return "", err
	}
	return d.Offer(attach.AttachedDyno{
		Session: executions{x}, App: app.Name, Dyno: c.Dyno, Terminal: c.Terminal != nil, Still: c.Still,
	}), nil
}

// runningDyno is a dyno as its visitors use it.
type runningDyno struct {
	manager *runtime.Manager
	app     renga.AppID
	dyno    string
}

// Command readies a command.
func (r runningDyno) Command(ctx context.Context, line string, terminal *renga.Window) (attach.Session, error) {
	x, err := r.manager.Exec(ctx, r.app, r.dyno, line, terminal)
	if err != nil {
		return nil, err
	}
	return executions{x}, nil
}

// Files readies the dyno's files.
func (r runningDyno) Files(ctx context.Context) (attach.Files, error) {
	files, err := r.manager.Files(ctx, r.app, r.dyno)
	if err != nil {
		return nil, err
	}
	return files, nil
}

// Dial connects to a port from where the dyno is.
func (r runningDyno) Dial(ctx context.Context, host string, port uint16) (net.Conn, error) {
	return r.manager.Dial(ctx, r.app, r.dyno, host, port)
}

// executions are the dyno manager's as the attach server sees them.
type executions struct{ *runtime.Execution }

// Begin starts the command.
func (x executions) Begin(ctx context.Context) (attach.Stream, error) { return x.Execution.Begin(ctx) }

// Close ends it.
func (x executions) Close(ctx context.Context, why error) error {
	switch {
	case errors.Is(why, attach.ErrIdle):
		return x.Execution.Close(ctx, "Nothing was said for an hour, so the session is closed")
	case errors.Is(why, attach.ErrForbidden):
		return x.Execution.Close(ctx, "The right to this dyno has ended, so the session is closed")
	}
	return x.Execution.Close(ctx, "")
}
