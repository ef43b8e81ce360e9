package main

import (
	"context"
	"errors"
	"net/http"

	"golang.org/x/sync/errgroup"

	"renga/api"
	"renga/front"
	"renga/router"
)

// run runs the loops and the servers until ctx ends or one of them fails.
func (p *platform) run(ctx context.Context, listeners []listener) error {
	loopsCtx, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoops()
	serversCtx, closeServers := context.WithCancel(context.WithoutCancel(ctx))
	defer closeServers()
	var loops, servers errgroup.Group
	for _, loop := range p.loops() {
		loops.Go(func() error {
			defer closeServers() // the first failure ends the program
			return loop(loopsCtx)
		})
	}
	for _, l := range listeners {
		servers.Go(func() error {
			defer closeServers()
			return p.doorFor(l).Run(serversCtx)
		})
	}
	servers.Go(func() error {
		defer closeServers()
		p.finishPushes(ctx, serversCtx)
		return nil
	})
	err := servers.Wait()
	stopLoops()
	return errors.Join(err, loops.Wait())
}

// loops are what runs beside the servers: each until its context ends.
func (p *platform) loops() []func(context.Context) error {
	return []func(context.Context) error{
		p.firewall.Run,
		p.manager.Run,
		p.addOns.Run,
		p.backups.Run,
		p.measurer.Run,
		p.runWakeUps,
		p.registry.Run,
		p.git.Run,
		p.imports.Run,
		p.builds.Run,
		p.uploads.Run,
		p.poller.Run,
		p.collector.Run,
		p.space.Run,
		p.renamer.Run,
		p.certs.Run,
		p.certNotes.Run,
		p.attach.Run,
		p.logs.Run,
		p.drainer.Run,
		p.promoter.Run,
		p.rollback.Run,
		p.webhooks.Run,
		p.scheduler.Run,
		p.sampler.Run,
	}
}

func (p *platform) runWakeUps(ctx context.Context) error { return p.wakeUps.run(ctx, p.manager) }

// finishPushes waits until the program is asked to end, and then until no push
// is under way. The ports stay open meanwhile: a push is many requests, often
// over new connections.
func (p *platform) finishPushes(ctx, serversCtx context.Context) {
	select {
	case <-serversCtx.Done():
		return
	case <-ctx.Done():
	}
	p.log.Info("renga ends, pushes are finished first")
	patient, cancel := context.WithTimeout(serversCtx, p.settings.ShutdownTimeout)
	defer cancel()
	p.pushes.Finish(patient)
}

// doorFor is what serves a listener.
func (p *platform) doorFor(l listener) *front.Door {
	server := &http.Server{Handler: p.hosts}
	router.Limits(server)
	server.RegisterOnShutdown(p.endStreams)
	door := &front.Door{
		Listener:        l.Listener,
		Server:          server,
		Limiter:         p.limiter,
		Trusted:         p.settings.TrustedProxies,
		ShutdownTimeout: p.settings.ShutdownTimeout,
	}
	switch l.kind {
	case metricsListener:
		server.Handler = p.metrics
	case tlsListener:
		door.TLS, door.Other = p.certs.TLSConfig(), p.attach.Rendezvous
	case bastionListener:
		server.Handler, door.Other = http.NotFoundHandler(), p.attach.Bastion
	case plainListener:
		server.Handler, door.Other = p.certs.Challenges(p.hosts), p.attach.SSH
	}
	return door
}

// newHostMux has the rooms answer requests by their host name.
func (p *platform) newHostMux(web *api.Server) *hostMux {
	return &hostMux{
		domain:   p.settings.Domain,
		trusted:  p.settings.TrustedProxies,
		registry: p.pushes,
		git:      p.git,
		router:   p.router,
		api:      web,
	}
}
