package logs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"renga"
)

// Drains tells which drains there are.
type Drains interface {
	AppIDs(ctx context.Context) ([]renga.AppID, error)
	// Drains is NotFound for an app that is gone.
	Drains(ctx context.Context, app renga.AppID) ([]renga.Drain, error)
}

// DrainOptions say how drains are reached. Dial has no default.
type DrainOptions struct {
	// Dial connects; it decides which addresses may be connected to.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots are the trusted CAs; nil for the system's.
	Roots *x509.CertPool
	Log   *slog.Logger
}

const (
	// refreshEvery is how often all apps' drains are looked up, for a call of
	// Reconcile may have been lost.
	refreshEvery = 5 * time.Minute
	// refreshRetry is the pause after the store failed.
	refreshRetry   = 5 * time.Second
	refreshTimeout = 30 * time.Second
)

// Drainer sends apps' logs to their drains. Each drain has a position in the
// log, which is saved beside the log, so that a restart loses no line.
type Drainer struct {
	logs   *Logs
	drains Drains
	opt    DrainOptions
	tls    *tls.Config
	signal chan struct{}

	mu        sync.Mutex
	toRefresh map[renga.AppID]bool

	running map[renga.AppID]map[string]context.CancelCauseFunc // by the drain's id; Run's alone
	workers sync.WaitGroup
}

// NewDrainer makes a Drainer, which does nothing before Run.
func NewDrainer(l *Logs, d Drains, o DrainOptions) *Drainer {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Drainer{
		logs: l, drains: d, opt: o, tls: &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
		signal: make(chan struct{}, 1), toRefresh: map[renga.AppID]bool{},
		running: map[renga.AppID]map[string]context.CancelCauseFunc{},
	}
}

// Reconcile has the drains of an app looked up soon.
func (d *Drainer) Reconcile(app renga.AppID) {
	d.mu.Lock()
	d.toRefresh[app] = true
	d.mu.Unlock()
	select {
	case d.signal <- struct{}{}:
	default:
	}
}

// Run drains until ctx ends.
func (d *Drainer) Run(ctx context.Context) error {
	defer d.workers.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.signal:
			if !d.refresh(ctx, d.takeToRefresh()) {
				timer.Reset(refreshRetry)
			}
		case <-timer.C:
			timer.Reset(d.refreshAll(ctx))
		}
	}
}

func (d *Drainer) takeToRefresh() []renga.AppID {
	d.mu.Lock()
	defer d.mu.Unlock()
	var apps []renga.AppID
	for app := range d.toRefresh {
		apps = append(apps, app)
	}
	clear(d.toRefresh)
	return apps
}

// refreshAll refreshes the drains of all apps, and returns when to do so again.
func (d *Drainer) refreshAll(ctx context.Context) time.Duration {
	brief, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	apps, err := d.drains.AppIDs(brief)
	for app := range d.running {
		apps = append(apps, app)
	}
	if !d.refresh(ctx, apps) || err != nil {
		return refreshRetry
	}
	return refreshEvery
}

// refresh starts and stops drains so that they are those of the apps. It is
// false if the store failed.
func (d *Drainer) refresh(ctx context.Context, apps []renga.AppID) bool {
	known := true
	for _, app := range apps {
		brief, cancel := context.WithTimeout(ctx, refreshTimeout)
		wanted, err := d.drains.Drains(brief, app)
		cancel()
		if err != nil && renga.KindOf(err) != renga.NotFound {
			known = false
			if renga.KindOf(err) != renga.Unavailable {
				d.opt.Log.Error("look up log drains", "app", app, "err", err)
			}
			continue
		}
		d.setDrains(ctx, app, wanted)
	}
	return known
}

// errRemoved ends a drain that was removed.
var errRemoved = errors.New("the drain was removed")

// setDrains runs exactly these drains of an app.
func (d *Drainer) setDrains(ctx context.Context, app renga.AppID, wanted []renga.Drain) {
	ids := map[string]bool{}
	for _, one := range wanted {
		ids[one.ID] = true
		if d.running[app][one.ID] == nil {
			d.start(ctx, one)
		}
	}
	for id, stop := range d.running[app] {
		if !ids[id] {
			stop(errRemoved)
			delete(d.running[app], id)
		}
	}
	if len(d.running[app]) == 0 {
		delete(d.running, app)
	}
}

func (d *Drainer) start(ctx context.Context, one renga.Drain) {
	w, err := newDrainWorker(d, one)
	if err != nil {
		d.opt.Log.Error("start log drain", "app", one.App, "drain", one, "err", err)
		return
	}
	ctx, stop := context.WithCancelCause(ctx)
	if d.running[one.App] == nil {
		d.running[one.App] = map[string]context.CancelCauseFunc{}
	}
	d.running[one.App][one.ID] = stop
	d.workers.Go(func() { w.run(ctx) })
}
