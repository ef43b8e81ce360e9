package main

import (
	"context"
	"net/http"
	"time"

	"renga/addons"
	"renga/addons/backups"
	"renga/attach"
	"renga/builds"
	"renga/certs"
	"renga/firewall"
	"renga/front"
	"renga/git"
	"renga/imports"
	"renga/logs"
	"renga/meter"
	"renga/registry"
	"renga/releaser"
	"renga/router"
	"renga/runtime"
	"renga/scheduler"
	"renga/space"
	"renga/webhooks"
)

// platform is all rooms put together.
type platform struct {
	base
	addOns    *addons.Service
	attach    *attach.Server
	backups   *backups.Service
	builds    *builds.Builds
	certs     *certs.Certs
	collector *registry.Collector
	certNotes *acmNotes
	drainer   *logs.Drainer
	firewall  *firewall.Firewall
	git       *git.Git
	imports   *imports.Imports
	manager   *runtime.Manager
	measurer  *addons.Measurer
	owners    *releaser.Owners
	poller    *imports.Poller
	promoter  *releaser.Promoter
	pushes    *pushWatch
	registry  *registry.Registry
	releaser  *releaser.Releaser
	remover   *releaser.Remover
	renamer   *releaser.Renamer
	rollback  *releaser.AutoRollback
	router    *router.Router
	sampler   *meter.Sampler
	uploads   *builds.Uploads
	scheduler *scheduler.Scheduler
	space     *space.Space
	wakeUps   *wakeUps
	webhooks  *webhooks.Webhooks

	limiter *front.ConnLimiter
	hosts   *hostMux
	metrics http.Handler
	// endStreams ends what clients of the API follow.
	endStreams func()
}

// build puts the rooms together, back to front: each is made of those before it. It
// starts nothing.
func build(b base) (*platform, error) {
	certNotes := newACMNotes(b.db, b.log)
	tls, err := openCerts(b.settings, b.db, certNotes, b.log)
	if err != nil {
		return nil, err
	}
	limiter, err := newLimiter(b.settings, b.log)
	if err != nil {
		return nil, err
	}
	wakeUps := newWakeUps()
	requests := &meter.Counter{}
	rt := b.newRouter(wakeUps, requests)
	broken := releaser.NewReports(b.db, time.Now)
	manager := b.newManager(rt, broken)
	owners := releaser.NewOwners(b.db, b.ledger)
	rel := b.newReleaser(owners, manager)
	reg, err := b.newRegistry(rel)
	if err != nil {
		return nil, err
	}
	collector, err := b.newCollector(reg, manager)
	if err != nil {
		return nil, err
	}
	addOns := b.newAddOns(rel)
	kept, err := b.newBackups(addOns)
	if err != nil {
		return nil, err
	}
	builder := b.newBuilds(rel, reg)
	sources, err := b.newGit(rel, builder)
	if err != nil {
		return nil, err
	}
	importer, poller := b.newImports(reg)
	measurer := b.newMeasurer(addOns)
	p := &platform{
		base:      b,
		addOns:    addOns,
		attach:    b.newAttach(),
		backups:   kept,
		builds:    builder,
		certs:     tls,
		collector: collector,
		certNotes: certNotes,
		drainer:   b.newDrainer(),
		firewall:  b.newFirewall(),
		git:       sources,
		imports:   importer,
		manager:   manager,
		measurer:  measurer,
		owners:    owners,
		poller:    poller,
		promoter:  releaser.NewPromoter(b.db, rel),
		pushes:    &pushWatch{registry: reg},
		registry:  reg,
		releaser:  rel,
		remover:   releaser.NewRemover(b.db, reg, addOns, rel, sources),
		renamer:   releaser.NewRenamer(b.db, reg, rel),
		rollback:  releaser.NewAutoRollback(broken, rel),
		router:    rt,
		sampler:   b.newSampler(requests, manager),
		scheduler: b.newScheduler(manager),
		uploads:   b.newUploads(),
		space:     b.newSpace(reg, collector, measurer),
		wakeUps:   wakeUps,
		limiter:   limiter,
	}
	web := p.newAPI()
	p.endStreams = web.EndStreams
	p.webhooks = p.newWebhooks(web)
	p.hosts = p.newHostMux(web)
	p.metrics = p.newMetrics()
	return p, nil
}

// resume finishes what a crash cut short, before anything new is taken. What
// cannot be finished now is tried again by the loops.
func (p *platform) resume(ctx context.Context) {
	if err := p.renamer.Resume(ctx); err != nil {
		p.log.Error("resume renames", "err", err)
	}
	if err := p.registry.Recover(ctx); err != nil {
		p.log.Error("recover pushes", "err", err)
	}
	if err := p.remover.Resume(ctx); err != nil {
		p.log.Error("resume deletions", "err", err)
	}
	if err := p.git.Resume(ctx); err != nil {
		p.log.Error("put git repositories right", "err", err)
	}
	if err := p.owners.Resume(ctx); err != nil {
		p.log.Error("resume owners", "err", err)
	}
}
