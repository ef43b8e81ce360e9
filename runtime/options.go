package runtime

import (
	"context"
	"log/slog"
	"time"

	"renga"
)

// Options are a Manager's settings. Every zero value but Domain's and Sizes' has
// a default.
type Options struct {
	Domain       string                // default host of an app: <name>.<Domain>
	Sizes        map[string]renga.Size // by name
	Port         int                   // what web dynos get as PORT; 8080
	BootTimeout  time.Duration         // for a web dyno to listen, then R10; 60s
	DrainTimeout time.Duration         // for requests in flight, before SIGTERM; 30s
	StopGrace    time.Duration         // SIGTERM to SIGKILL; 30s
	Settle       time.Duration         // how long another dyno must run to count as up; 1s
	PhaseLimit   time.Duration         // for a release command to end; 1h
	DeployLimit  time.Duration         // for a release to come up, its command and its time as a canary apart; 30m
	WatchWindow  time.Duration         // for a release to hold after it took over; 5m
	Resync       time.Duration         // between two looks if nothing happens; 30s
	Log          *slog.Logger
	Now          func() time.Time
	// Outputs keeps what release commands print; nil to keep nothing.
	Outputs Outputs
	// Ends is told how scheduled dynos ended; nil for nobody.
	Ends Ends
	// Rescuer has apps taken back from releases that do not hold; nil for nobody.
	Rescuer Rescuer
	// Logs keeps what dynos print and what is said of them; nil to keep nothing.
	Logs Logs
	// Probe tells whether somebody listens at host:port. The default is a TCP
	// connection.
	Probe func(ctx context.Context, addr string) error
	// Get asks a web dyno by HTTP for a path of a host, and tells what was wrong
	// with the answer. The default is a GET.
	Get func(ctx context.Context, addr, host, path string) error
}

// noEnds tells nobody.
type noEnds struct{}

func (noEnds) RunEnded(context.Context, renga.Dyno) error { return nil }

// orDefaults fills in what is not set.
func (o Options) orDefaults() Options {
	o.Port = orDefault(o.Port, 8080)
	o.BootTimeout = orDefault(o.BootTimeout, 60*time.Second)
	o.DrainTimeout = orDefault(o.DrainTimeout, 30*time.Second)
	o.StopGrace = orDefault(o.StopGrace, 30*time.Second)
	o.Settle = orDefault(o.Settle, time.Second)
	o.PhaseLimit = orDefault(o.PhaseLimit, time.Hour)
	o.DeployLimit = orDefault(o.DeployLimit, 30*time.Minute)
	o.WatchWindow = orDefault(o.WatchWindow, 5*time.Minute)
	o.Resync = orDefault(o.Resync, 30*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Ends == nil {
		o.Ends = noEnds{}
	}
	if o.Rescuer == nil {
		o.Rescuer = noRescuer{}
	}
	if o.Logs == nil {
		o.Logs = noLogs{}
	}
	if o.Probe == nil {
		o.Probe = connect
	}
	if o.Get == nil {
		o.Get = get
	}
	return o
}

func orDefault[T int | time.Duration](v, fallback T) T {
	if v <= 0 {
		return fallback
	}
	return v
}
