package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"renga"
	"renga/runtime/engine"
)

// Session is an attached one-off dyno. Reading and writing are its Stream's.
type Session struct {
	m        *Manager
	app      renga.AppID
	instance engine.Instance
	stream   engine.Stream
	giveBack func()
	state    renga.DynoState
	code     atomic.Pointer[int] // once the dyno has ended
	once     sync.Once
	err      error
}

// Begin starts the dyno.
func (s *Session) Begin(ctx context.Context) (engine.Stream, error) {
	if err := s.stream.Begin(ctx); err != nil {
		return nil, err
	}
	s.state = renga.Up
	s.m.say(s.app, s.instance.Name, "State changed from starting to up")
	return sessionStream{s.stream, s}, nil
}

// sessionStream is a stream whose session learns how the dyno ended.
type sessionStream struct {
	engine.Stream
	session *Session
}

// Wait waits for the end.
func (a sessionStream) Wait(ctx context.Context) (int, error) {
	code, err := a.Stream.Wait(ctx)
	if err == nil {
		a.session.code.Store(&code)
	}
	return code, err
}

// Close ends the dyno if it has not ended, and leaves nothing of it. The app's
// log gets the reason, when there is one to tell.
func (s *Session) Close(ctx context.Context, reason string) error {
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangUpGrace+stopSlack)
		defer cancel()
		defer s.m.Reconcile(s.app)
		defer s.giveBack()   // if it is still there, the next look stops it
		_ = s.stream.Close() // all was read, or nobody reads it any more
		s.err = s.end(ctx, reason)
		s.m.stats.step("stop", s.err)
		s.m.say(s.app, s.instance.Name, "State changed from %s to complete", s.state)
	})
	if s.err != nil {
		return fmt.Errorf("end %s: %w", s.instance.Name, s.err)
	}
	return nil
}

// end ends the dyno, and has the log say how that came.
func (s *Session) end(ctx context.Context, reason string) error {
	if code := s.code.Load(); code != nil {
		s.m.say(s.app, s.instance.Name, "Process exited with status %d", *code)
		return s.m.engine.Stop(ctx, s.instance.ID, hangUpGrace)
	}
	s.m.say(s.app, s.instance.Name, "%s", cmp.Or(reason, "Client connection closed. Sending SIGTERM to all processes"))
	ender, ok := s.m.engine.(engine.Ender)
	if !ok {
		return s.m.engine.Stop(ctx, s.instance.ID, hangUpGrace)
	}
	killed, err := ender.Terminate(ctx, s.instance.ID, hangUpGrace)
	if killed {
		s.m.say(s.app, s.instance.Name, "Error R16 (Detached) -> "+
			"An attached process is not responding to SIGTERM after its external connection was closed.")
	}
	return errors.Join(err, s.m.engine.Stop(ctx, s.instance.ID, 0))
}
