package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	goruntime "runtime"

	"golang.org/x/sync/errgroup"

	"renga/front"
	"renga/router"
	"renga/store"
	"renga/store/redisserver"
)

// defaultPlatform is what this machine runs.
const defaultPlatform = "linux/" + goruntime.GOARCH

// serve runs the platform until ctx ends.
func serve(ctx context.Context, p *program, args []string) error {
	s, rest, err := p.parseSettings("serve", args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("serve takes no argument, and got %q", rest)
	}
	log := withTrail(newLogger(s), &trail{path: s.auditPath(), max: auditMaxBytes})
	d, err := openData(s)
	if err != nil {
		return err
	}
	defer closing(log, "data directory", d.Close)
	left, err := inherited(p.getenv(inheritedName))
	if err != nil {
		return err
	}
	doorways, err := listen(ctx, s, left)
	if err != nil {
		return err
	}
	next := &successor{doorways: doorways}
	serving, stop := next.await(ctx)
	err = serveOn(serving, s, d, doorways, log)
	if stop(); err == nil && next.asked() && ctx.Err() == nil {
		return next
	}
	return err
}

// newLogger writes one line per event to standard error.
func newLogger(s Settings) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // validated with the settings
	o := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}

// doorKind is what is served behind a listener.
type doorKind string

const (
	plainDoor   doorKind = "listen" // each is called as its setting
	tlsDoor     doorKind = "listen-tls"
	metricsDoor doorKind = "metrics-listen"
)

// doorway is an open listener.
type doorway struct {
	net.Listener
	kind doorKind
}

// listen takes the ports before anything else is started, so that a taken one
// is found out at once. Those that were left open are taken over; the rest of
// them is closed.
func listen(ctx context.Context, s Settings, left map[string]net.Listener) ([]doorway, error) {
	var all []doorway
	open := func(kind doorKind, addresses ...string) error {
		for _, address := range addresses {
			l, err := openListener(ctx, address, left)
			if err != nil {
				return fmt.Errorf("cannot listen on %s: %w; %s", address, err, remedy(err, kind))
			}
			all = append(all, doorway{l, kind})
		}
		return nil
	}
	err := open(plainDoor, s.Listen...)
	if err == nil {
		err = open(tlsDoor, s.ListenTLS...)
	}
	if err == nil && s.MetricsListen != "" {
		err = open(metricsDoor, s.MetricsListen)
	}
	for _, l := range left {
		err = errors.Join(err, l.Close())
	}
	if err != nil {
		for _, d := range all {
			err = errors.Join(err, d.Close())
		}
		return nil, err
	}
	return all, nil
}

func openListener(ctx context.Context, address string, left map[string]net.Listener) (net.Listener, error) {
	if l, ok := take(left, address); ok {
		return l, nil
	}
	return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
}

// remedy says what to do about a port that could not be taken.
func remedy(err error, kind doorKind) string {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Sprintf("ports below 1024 need root or the capability CAP_NET_BIND_SERVICE: give Renga one of them, or choose another port with --%s", kind)
	}
	return fmt.Sprintf("stop what uses the port, or choose another with --%s", kind)
}

// serveOn starts the store, then the house on it, and runs both. When ctx ends
// they end in the reverse order: first the doors, so that no push is cut, then
// the dyno manager, which leaves dynos running, then Redis.
func serveOn(ctx context.Context, s Settings, d *data, doorways []doorway, log *slog.Logger) error {
	live := context.WithoutCancel(ctx)
	redisCtx, stopRedis := context.WithCancel(live)
	defer stopRedis()
	url, redis, err := startRedis(ctx, s, log)
	if err != nil {
		return err
	}
	var servers errgroup.Group
	if redis != nil {
		servers.Go(func() error { return redis.Run(redisCtx) })
	}
	at := store.Options{URL: url, Log: log}
	if redis != nil {
		at.Full = redis.Full
	}
	err = serveWith(ctx, s, d, at, doorways, log)
	stopRedis()
	return errors.Join(err, servers.Wait())
}

// startRedis gives the URL of Redis and, when none was given, the supervised
// server that answers there.
func startRedis(ctx context.Context, s Settings, log *slog.Logger) (string, *redisserver.Server, error) {
	if s.RedisURL != "" {
		return s.RedisURL, nil, nil
	}
	server, err := redisserver.New(s.path("redis"), s.RedisServer, log)
	if err != nil {
		return "", nil, err
	}
	return server.URL(), server, server.Start(ctx)
}

// serveWith runs the house on an open store.
func serveWith(ctx context.Context, s Settings, d *data, at store.Options, doorways []doorway, log *slog.Logger) error {
	keys, err := openKeys(s, !d.platform.Adopted)
	if err != nil {
		return err
	}
	at.Sealer = keys
	db, err := store.Open(ctx, at)
	if err != nil {
		return err
	}
	defer closing(log, "store", db.Close)
	if err := adopt(ctx, db, d, log); err != nil {
		return err
	}
	h, err := build(s, d, keys, db, fronts(doorways), log)
	if err != nil {
		return err
	}
	defer closing(log, "logs", h.logs.Close)
	if h.crowd, err = newCrowd(s, log); err != nil {
		return err
	}
	if err := writeJSON(s.path("serving.json"), servingOf(s)); err != nil {
		return err
	}
	h.firewall.Set(ctx) // before any dyno starts
	h.resume(ctx)
	log.Info("renga serves", "version", versionName(), "listen", s.Listen, "listen_tls", s.ListenTLS, "domain", s.Domain, "data", s.Data, "platform", d.platform.ID)
	return h.run(ctx, doorways)
}

// run runs the loops and the doors until ctx ends or one of them fails.
func (h *house) run(ctx context.Context, doorways []doorway) error {
	loopsCtx, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoops()
	doorsCtx, closeDoors := context.WithCancel(context.WithoutCancel(ctx))
	defer closeDoors()
	var loops, doors errgroup.Group
	loop := func(run func(context.Context) error) {
		loops.Go(func() error {
			defer closeDoors() // the first failure ends the program
			return run(loopsCtx)
		})
	}
	loop(h.firewall.Run)
	loop(h.manager.Run)
	loop(func(ctx context.Context) error { return h.wakeUps.run(ctx, h.manager) })
	loop(h.registry.Run)
	loop(h.renamer.Run)
	loop(h.certs.Run)
	loop(h.desk.Run)
	loop(h.logs.Run)
	loop(h.promoter.Run)
	loop(h.rollback.Run)
	loop(h.hooks.Run)
	loop(h.schedule.Run)
	loop(h.drainer.Run)
	loop(h.meter.Run)
	loop(h.notes.Run)
	for _, d := range doorways {
		doors.Go(func() error {
			defer closeDoors()
			return h.behind(d).Run(doorsCtx)
		})
	}
	doors.Go(func() error {
		defer closeDoors()
		h.finishPushes(ctx, doorsCtx)
		return nil
	})
	err := doors.Wait()
	stopLoops()
	return errors.Join(err, loops.Wait())
}

// finishPushes waits until the program is asked to end, and then until no push
// is under way. The doors stay open meanwhile: a push is many requests, often
// over new connections.
func (h *house) finishPushes(ctx, doorsCtx context.Context) {
	select {
	case <-doorsCtx.Done():
		return
	case <-ctx.Done():
	}
	h.log.Info("renga ends, pushes are finished first")
	patient, cancel := context.WithTimeout(doorsCtx, h.settings.ShutdownTimeout)
	defer cancel()
	h.pushes.Finish(patient)
}

// behind is what stands behind a listener.
func (h *house) behind(d doorway) *front.Door {
	server := &http.Server{Handler: h.door}
	router.Limits(server)
	server.RegisterOnShutdown(h.endStreams)
	door := &front.Door{Listener: d.Listener, Server: server, Limiter: h.crowd, Trusted: h.settings.TrustedProxies, ShutdownTimeout: h.settings.ShutdownTimeout}
	switch d.kind {
	case metricsDoor:
		server.Handler = h.metrics
	case tlsDoor:
		door.TLS, door.Other = h.certs.TLSConfig(), h.rendezvous
	case plainDoor:
		server.Handler, door.Other = h.certs.Challenges(h.door), h.ssh
	}
	return door
}

// closing closes something on the way out and tells what went wrong.
func closing(log *slog.Logger, what string, closeIt func() error) {
	if err := closeIt(); err != nil {
		log.Error("close", "what", what, "err", err)
	}
}
