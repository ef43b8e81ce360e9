package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	goruntime "runtime"

	"golang.org/x/sync/errgroup"

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
	defer closeLogged(log, "data directory", d.Close)
	left, err := inherited(p.getenv(inheritedName))
	if err != nil {
		return err
	}
	listeners, err := listen(ctx, s, left)
	if err != nil {
		return err
	}
	next := &successor{listeners: listeners}
	serving, stop := next.await(ctx)
	err = serveOn(serving, s, d, listeners, log)
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

// serveOn starts the store, then the platform on it, and runs both. When ctx ends
// they end in the reverse order: first the doors, so that no push is cut, then
// the dyno manager, which leaves dynos running, then Redis.
func serveOn(ctx context.Context, s Settings, d *data, listeners []listener, log *slog.Logger) error {
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
	err = serveWith(ctx, s, d, at, listeners, log)
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

// serveWith runs the platform on an open store.
func serveWith(ctx context.Context, s Settings, d *data, at store.Options, listeners []listener, log *slog.Logger) error {
	keys, err := openKeys(s, !d.platform.Adopted)
	if err != nil {
		return err
	}
	at.Sealer = keys
	db, err := store.Open(ctx, at)
	if err != nil {
		return err
	}
	defer closeLogged(log, "store", db.Close)
	if err := adopt(ctx, db, d, log); err != nil {
		return err
	}
	b, err := openBase(s, d, keys, db, fronts(listeners), log)
	if err != nil {
		return err
	}
	defer closeLogged(log, "logs", b.logs.Close)
	p, err := build(b)
	if err != nil {
		return err
	}
	if err := writeJSON(s.path("serving.json"), servingOf(s)); err != nil {
		return err
	}
	p.firewall.Set(ctx) // before any dyno starts
	p.resume(ctx)
	log.Info("renga serves",
		"version", versionName(),
		"listen", s.Listen,
		"listen_tls", s.ListenTLS,
		"domain", s.Domain,
		"data", s.Data,
		"platform", d.platform.ID)
	return p.run(ctx, listeners)
}

// closeLogged closes something on the way out and tells what went wrong.
func closeLogged(log *slog.Logger, what string, closeIt func() error) {
	if err := closeIt(); err != nil {
		log.Error("close", "what", what, "err", err)
	}
}
