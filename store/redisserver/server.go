// Package redisserver runs a redis-server for a Renga that was given none: it
// starts one or adopts the one that a killed Renga left, starts it again when it
// ends, keeps room for it on the disk, and shuts it down in order.
//
// It knows nothing of what is stored; that is package store's.
package redisserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"renga"
)

const (
	minPause    = 100 * time.Millisecond // before a redis-server that ended is started again
	maxPause    = 5 * time.Second
	steadyAfter = 30 * time.Second // one that ran this long starts again with minPause
	// loadTimeout bounds waiting for a redis-server that holds the data but does
	// not answer. For one that says that it is loading there is no limit.
	loadTimeout = 10 * time.Second
	// shutdownTimeout bounds SHUTDOWN. Every acknowledged write is on disk already.
	shutdownTimeout = 10 * time.Second
	// replyTimeout bounds one question, with its answer.
	replyTimeout = 2 * time.Second
)

// Server is a redis-server that Renga runs for itself, on a unix socket, with
// each write fsynced before it is acknowledged. It outlives a Renga that is
// killed; the next Renga adopts it.
type Server struct {
	dir    string
	bin    string
	socket string
	log    *slog.Logger
	proc   *process // nil until Start
}

// New prepares a server with its data in dir, which is made if it is not
// there. bin is the program; redis-server from the PATH when empty. Nothing is
// started yet.
func New(dir, bin string, log *slog.Logger) (*Server, error) {
	if bin == "" {
		bin = "redis-server"
	}
	found, err := exec.LookPath(bin)
	if err != nil {
		return nil, &renga.Error{
			Kind: renga.Unavailable, Message: bin + " is not installed: install it, or set REDIS_URL.", Err: err,
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("redis directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("redis directory: %w", err)
	}
	socket, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	return &Server{dir: dir, bin: found, socket: socket, log: log}, nil
}

// URL is what a store is opened with.
func (s *Server) URL() string { return "unix://" + escapePath(s.socket) }

// Start makes sure that a redis-server answers on the socket: one that an
// earlier Renga left, or a new one. It returns when all data is loaded. Run
// must be called afterwards.
func (s *Server) Start(ctx context.Context) error {
	var err error
	s.proc, err = s.bringUp(ctx)
	return err
}

// Run keeps the server running until ctx ends, then shuts it down: let ctx end
// only after everything that needs the store.
func (s *Server) Run(ctx context.Context) error {
	keeping, stop := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() { reserve{s.dir, s.log}.run(keeping) })
	defer keeper.Wait()
	defer stop()
	pause := minPause
	for {
		began := time.Now()
		if s.proc != nil {
			err := s.proc.wait(ctx)
			if ctx.Err() != nil {
				return s.shutDown()
			}
			s.log.Error("redis-server ended", "err", err, "log", s.logPath())
		}
		if time.Since(began) > steadyAfter {
			pause = minPause
		}
		if sleep(ctx, pause) != nil {
			return s.shutDown()
		}
		pause = min(2*pause, maxPause)
		var err error
		if s.proc, err = s.bringUp(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("redis-server does not start", "err", err)
		}
	}
}

// bringUp adopts or starts a redis-server and waits until it answers. If a
// server that it started does not answer, it ends it.
func (s *Server) bringUp(ctx context.Context) (_ *process, err error) {
	var proc *process
	defer func() {
		if err != nil && proc != nil {
			proc.kill()
		}
	}()
	silent := time.Now()
	for {
		err := s.ping(ctx)
		switch {
		case err == nil && proc != nil:
			return proc, nil
		case err == nil:
			s.log.Info("adopt running redis-server", "socket", s.socket)
			return &process{socket: s.socket}, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("start redis-server: %w", ctx.Err())
		case errors.Is(err, errLoading):
			silent = time.Now()
		case proc != nil && proc.ended():
			return nil, s.diedEarly(proc)
		case proc == nil && isNobody(err):
			if proc, err = s.launch(); err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
				return nil, err
			}
		}
		if time.Since(silent) > loadTimeout {
			return nil, renga.Errorf(renga.Unavailable,
				"A redis-server holds %s but does not answer on %s; end it and start again.", s.dir, s.socket)
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return nil, fmt.Errorf("start redis-server: %w", err)
		}
	}
}

// diedEarly quotes the log of a redis-server that did not come up.
func (s *Server) diedEarly(p *process) error {
	last := tail(s.logPath(), p.logStart)
	return &renga.Error{
		Kind: renga.Unavailable,
		Message: fmt.Sprintf("redis-server ends at once; its log %s closes with: %s%s", s.logPath(), last,
			s.repairAdvice(last)),
		Err: p.err,
	}
}

// repairAdvice says what to do about stored data that redis-server does not
// read. Redis's own advice needs a tool and knowledge of it; ours needs
// neither.
func (s *Server) repairAdvice(last string) string {
	low := strings.ToLower(last)
	if !strings.Contains(low, "aof") && !strings.Contains(low, "append only file") ||
		strings.Contains(low, "permission denied") {
		return ""
	}
	return fmt.Sprintf(" -- Copy %s before you change anything in it. Mend it as redis-server says; or, where that is "+
		"no use, "+
		"move it away and run `renga recover`, which rebuilds apps and releases from the registry.", s.dir)
}

func (s *Server) logPath() string { return filepath.Join(s.dir, "redis.log") }

// args are the whole configuration; no file is read.
func (s *Server) args() []string {
	return []string{
		"--port", "0", "--unixsocket", s.socket, "--unixsocketperm", "700",
		"--dir", s.dir, "--appendonly", "yes", "--appendfsync", "always", "--save", "",
		"--maxmemory-policy", "noeviction", "--databases", "1", "--daemonize", "no",
	}
}

// shutDown ends the server in order.
func (s *Server) shutDown() error {
	if s.proc == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := s.shutdownCommand(ctx); err != nil {
		s.log.Warn("redis-server refuses to shut down", "err", err)
		s.proc.kill()
	}
	_ = s.proc.wait(ctx) // that it ended is what was wanted; how does not matter
	if ctx.Err() != nil {
		s.proc.kill()
		return fmt.Errorf("stop redis-server: still running after %s", shutdownTimeout)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
