package main

import (
	"time"

	"github.com/google/uuid"

	"renga/accounts"
	"renga/attach"
	"renga/firewall"
	"renga/imports"
	"renga/logs"
	"renga/meter"
	"renga/registry"
	"renga/releaser"
	"renga/router"
	"renga/runtime"
	"renga/runtime/docker"
	"renga/scheduler"
	"renga/store"
	"renga/webhooks"
)

func (b base) newFirewall() *firewall.Firewall {
	return newFirewall(b.settings, b.data.platform.ID, b.fronts, b.log, b.docker)
}

func (b base) newDrainer() *logs.Drainer {
	return logs.NewDrainer(b.logs, b.db, logs.DrainOptions{
		Dial: b.egress.Dial,
		Log:  b.log,
	})
}

// startMargin is how much longer a request waits for an app than a dyno may take
// to boot: its container is made first.
const startMargin = 15 * time.Second

func (b base) newRouter(asked *wakeUps, requests *meter.Counter) *router.Router {
	return router.New(router.Options{
		Trusted:       b.settings.TrustedProxies,
		WakeUp:        asked.Ask,
		TableComplete: asked.TableComplete,
		StartTimeout:  b.settings.BootTimeout + startMargin,
		RequestLog:    requestLog{b.logs, requests},
		Log:           b.log,
	})
}

// logMaxBytes caps what Docker keeps of one dyno's output, per file.
const logMaxBytes = 10 << 20

func (b base) newManager(rt *router.Router, broken *releaser.Reports) *runtime.Manager {
	s := b.settings
	engine := docker.New(b.docker, docker.Options{
		LogMaxBytes: logMaxBytes,
		Log:         b.log,
	})
	return runtime.New(runtime.Options{
		Domain:       s.Domain,
		Sizes:        s.Sizes,
		Port:         s.Port,
		BootTimeout:  s.BootTimeout,
		DrainTimeout: s.DrainTimeout,
		StopGrace:    s.StopGrace,
		PhaseLimit:   s.ReleaseTimeout,
		DeployLimit:  s.DeployTimeout,
		WatchWindow:  s.WatchWindow,
		Rescuer:      broken,
		Ends:         b.db,
		Outputs:      b.outputs,
		Logs:         b.logs,
		Log:          b.log,
	}, b.db, ledgerReleases{b.ledger}, engine, rt)
}

func (b base) newSampler(requests *meter.Counter, manager *runtime.Manager) *meter.Sampler {
	return meter.NewSampler(meter.Options{Every: b.settings.MetricsEvery, Log: b.log}, requests, manager, b.logs, b.db)
}

func (b base) newReleaser(owners *releaser.Owners, manager *runtime.Manager) *releaser.Releaser {
	return releaser.New(releaser.Parts{
		Apps:   b.db,
		Store:  b.db,
		Ledger: b.ledger,
		Owners: owners,

		Provenance: b.ledger,

		Runner:   manager,
		Activity: b.activity,
		Log:      b.log,
		Now:      time.Now,
		NewID:    uuid.NewString,
	})
}

func (b base) newRegistry(rel *releaser.Releaser) (*registry.Registry, error) {
	s := b.settings
	return registry.New(registry.Options{
		Dir:           s.path("registry"),
		IntentDir:     s.path("pushes"),
		Secret:        b.data.secret,
		Platform:      s.Platform,
		MaxImageBytes: s.MaxImageSize,
		MaxUnpacked:   s.MaxUnpackedSize,
		UnpacksZstd:   b.docker.UnpacksZstd,
		MinFreeBytes:  s.MinFreeDisk,
		Disk:          b.disk,
		AppQuota:      s.AppQuota,
		EngineFree:    b.docker.DiskFree,
		CreateOnPush:  s.CreateOnPush,
		PullToken:     b.pullToken,
		ReleaseTag:    "latest",
		Gate:          b.ledger.Gate(),
		Tell:          b.db.PostContentEvent,
		Log:           b.log,
	}, directory{b.db, accounts.NewTokens(b.db, time.Now)}, rel)
}

// directory is the registry's: apps and releases, and whose a token is, for who does
// not try too many.
type directory struct {
	*store.Store
	*accounts.Tokens
}

// newImports makes what brings images in, and what asks other registries for them.
func (b base) newImports(reg *registry.Registry) (*imports.Imports, *imports.Poller) {
	copier := registry.NewCopier(reg, registry.SourceOptions{Dial: b.egress.Dial})
	room := imports.New(imports.Options{
		Own:    b.settings.ownRegistry,
		Tokens: imports.TokenOptions{Dial: b.egress.Dial},
		Log:    b.log,
		Now:    time.Now,
	}, b.db, b.db, b.db, copier, b.logs)
	return room, imports.NewPoller(room, b.db, copier)
}

func (b base) newAttach() *attach.Server {
	return attach.New(attach.Options{
		Spool:      b.settings.Data,
		CheckSpace: b.settings.checkSpace,
		Log:        b.log,
	})
}

func (b base) newScheduler(manager *runtime.Manager) *scheduler.Scheduler {
	return scheduler.New(scheduler.Options{
		Log: b.log,
		Now: time.Now,
	}, b.db, b.db, scheduled{manager}, b.logs)
}

func (b base) newWebhooks(bodies webhooks.Renderer) *webhooks.Webhooks {
	return webhooks.New(webhooks.Options{
		Dial: b.egress.Dial,
		Log:  b.log,
		Now:  time.Now,
	}, b.db, bodies)
}
