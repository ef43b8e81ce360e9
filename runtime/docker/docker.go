// Package docker runs dynos as Docker containers: one per dyno, on one network per
// app. It says what a dyno is: its limits, its labels, what its process may do,
// how it ends. Docker itself it knows by renga/docker only. It keeps no state of
// its own: what runs is what the daemon says.
package docker

import (
	"log/slog"

	"renga/docker"
	"renga/runtime/engine"
)

var (
	_ engine.Engine       = (*Engine)(nil)
	_ engine.Tailer       = (*Engine)(nil)
	_ engine.OutputReader = (*Engine)(nil)
	_ engine.Ender        = (*Engine)(nil)
	_ engine.PortLister   = (*Engine)(nil)
	_ engine.Forgetter    = (*Engine)(nil)
	_ engine.Attacher     = (*Engine)(nil)
	_ engine.Execer       = (*Engine)(nil)
	_ engine.Filer        = (*Engine)(nil)
	_ engine.Dialer       = (*Engine)(nil)
	_ engine.Measurer     = (*Engine)(nil)
	_ engine.DiskGuard    = (*Engine)(nil)
)

// Options say how dynos run.
type Options struct {
	// LogMaxBytes is how much of a dyno's output is kept at most, in each of
	// two files. 0 means docker.DefaultLogMaxBytes.
	LogMaxBytes int64
	// Log is told of what needs no caller's attention. Nil means nobody.
	Log *slog.Logger
}

// Engine runs dynos as containers. Make one with New.
type Engine struct {
	docker *docker.Client
	logMax int64
	log    *slog.Logger
}

// New makes an engine of the client's platform. It does no I/O.
func New(client *docker.Client, o Options) *Engine {
	e := &Engine{docker: client, logMax: o.LogMaxBytes, log: o.Log}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	return e
}
