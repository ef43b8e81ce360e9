package main

import (
	"time"

	"github.com/google/uuid"

	"renga/attach"
	"renga/firewall"
	"renga/logs"
	"renga/meter"
	"renga/registry"
	"renga/releaser"
	"renga/router"
	"renga/runtime"
	"renga/runtime/docker"
	"renga/scheduler"
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

func (b base) newRouter(asked *wakeUps, requests *meter.Counter) *router.Router {
	return router.New(router.Options{
		Trusted:       b.settings.TrustedProxies,
		WakeUp:        asked.Ask,
		TableComplete: asked.TableComplete,
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
	return meter.NewSampler(meter.Options{Log: b.log}, requests, manager, b.logs, b.db)
}

func (b base) newReleaser(owners *releaser.Owners, manager *runtime.Manager) *releaser.Releaser {
	return releaser.New(releaser.Parts{
		Apps:     b.db,
		Store:    b.db,
		Ledger:   b.ledger,
		Owners:   owners,
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
		EngineFree:    b.docker.DiskFree,
		CreateOnPush:  s.CreateOnPush,
		PullToken:     b.pullToken,
		ReleaseTag:    "latest",
		Log:           b.log,
	}, b.db, rel)
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
