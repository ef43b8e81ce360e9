package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/accounts"
	"renga/api"
	"renga/api/people"
	"renga/api/wire"
	"renga/attach"
	"renga/certs"
	"renga/config"
	"renga/docker"
	"renga/durable"
	"renga/egress"
	"renga/firewall"
	"renga/front"
	"renga/logs"
	"renga/meter"
	"renga/output"
	"renga/registry"
	"renga/releaser"
	"renga/router"
	"renga/runtime"
	dockerengine "renga/runtime/docker"
	"renga/scheduler"
	"renga/seal"
	"renga/store"
	"renga/webhooks"
)

// house is all rooms put together.
type house struct {
	settings Settings
	log      *slog.Logger
	manager  *runtime.Manager
	wakeUps  *wakeUps
	registry *registry.Registry
	pushes   *pushWatch
	remover  *releaser.Remover
	renamer  *releaser.Renamer
	owners   *releaser.Owners
	promoter *releaser.Promoter
	rollback *releaser.AutoRollback
	hooks    *webhooks.Webhooks
	schedule *scheduler.Scheduler
	door     *door
	crowd    *front.ConnLimiter
	certs    *certs.Certs
	notes    *acmNotes
	desk     *attach.Server
	logs     *logs.Logs
	drainer  *logs.Drainer
	meter    *meter.Sampler
	firewall *firewall.Firewall
	// endStreams ends what clients of the API follow.
	endStreams func()
	metrics    http.Handler
	// rendezvous and ssh take connections that speak no HTTP; nil while nobody
	// does.
	rendezvous, ssh func(net.Conn)
}

// adopt binds Redis to this platform and makes the operator's account. A Redis
// that lost its data is no reason to end: what runs goes on and every write
// says what to do.
func adopt(ctx context.Context, db *store.Store, d *data, log *slog.Logger) error {
	err := db.Adopt(ctx, d.platform.ID, !d.platform.Adopted)
	if renga.KindOf(err) == renga.Unavailable && d.platform.Adopted {
		log.Error("records are missing", "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	if err := d.adopted(); err != nil {
		return err
	}
	return db.EnsureAccount(ctx, d.operator.account(), d.operator.Token)
}

// build puts the rooms together, back to front. It starts nothing.
func build(s Settings, d *data, keys *seal.Keyset, db *store.Store, doorways []netip.AddrPort, log *slog.Logger) (*house, error) {
	ledger, err := registry.OpenLedger(s.path("registry"), keys)
	if err != nil {
		return nil, err
	}
	pullToken := accounts.NewToken()
	containers, err := docker.New(docker.Options{
		Host: s.DockerHost, Platform: d.platform.ID, Registry: s.registryAddress(), PullToken: pullToken,
		NetworkPool: s.NetworkPool, Log: log,
	})
	if err != nil {
		return nil, err
	}
	engine := dockerengine.New(containers, dockerengine.Options{LogMaxBytes: logMaxBytes, Log: log})
	around := newFirewall(s, d.platform.ID, doorways, log, containers)
	appLogs, err := openLogs(s, log)
	if err != nil {
		return nil, err
	}
	did := deeds{logs: appLogs, db: db}
	outside := egress.New(s.EgressAllow)
	drainer := logs.NewDrainer(appLogs, db, logs.DrainOptions{Dial: outside.Dial, Log: log})
	outputs := output.New(output.Options{Dir: s.path("outputs")})
	wakes := newWakeUps()
	reports := releaser.NewReports(db, time.Now)
	requests := &meter.Counter{}
	rt := router.New(router.Options{WakeUp: wakes.Ask, Log: log, RequestLog: routerLines{appLogs, requests}, Trusted: s.TrustedProxies, TableComplete: wakes.TableComplete})
	manager := runtime.New(runtime.Options{
		Domain: s.Domain, Sizes: s.Sizes, Port: s.Port, BootTimeout: s.BootTimeout,
		DrainTimeout: s.DrainTimeout, StopGrace: s.StopGrace, PhaseLimit: s.ReleaseTimeout, DeployLimit: s.DeployTimeout, WatchWindow: s.WatchWindow, Rescuer: reports, Ends: db, Outputs: outputs,
		Logs: appLogs, Log: log,
	}, db, ledgerReleases{ledger}, engine, rt)
	gauge := meter.NewSampler(meter.Options{Log: log}, requests, manager, appLogs, db)
	owners := releaser.NewOwners(db, ledger)
	rel := releaser.New(releaser.Parts{
		Apps: db, Store: db, Ledger: ledger, Owners: owners, Runner: manager, Lines: did, Log: log, Now: time.Now, NewID: uuid.NewString,
	})
	reg, err := registry.New(registry.Options{
		Dir: s.path("registry"), IntentDir: s.path("pushes"), Secret: d.secret, Platform: s.Platform,
		MaxImageBytes: s.MaxImageSize, MaxUnpacked: s.MaxUnpackedSize, UnpacksZstd: containers.UnpacksZstd, MinFreeBytes: s.MinFreeDisk, EngineFree: containers.DiskFree, CreateOnPush: s.CreateOnPush,
		PullToken: pullToken, ReleaseTag: "latest", Log: log,
	}, db, rel)
	if err != nil {
		return nil, err
	}
	notes := newACMNotes(db, log)
	tlsCerts, err := openCerts(s, db, notes, log)
	if err != nil {
		return nil, err
	}
	scheme, port := s.front()
	desk := attach.New(attach.Options{Spool: s.Data, CheckSpace: s.room, Log: log})
	schedule := scheduler.New(scheduler.Options{Log: log, Now: time.Now}, db, db, scheduled{manager}, appLogs)
	h := &house{
		settings: s, log: log, manager: manager, wakeUps: wakes, registry: reg, pushes: &pushWatch{registry: reg},
		remover: releaser.NewRemover(db, reg, rel), renamer: releaser.NewRenamer(db, reg, rel), owners: owners, promoter: releaser.NewPromoter(db, rel), rollback: releaser.NewAutoRollback(reports, rel),
		certs: tlsCerts, notes: notes, schedule: schedule, logs: appLogs, drainer: drainer, meter: gauge, firewall: around, desk: desk, rendezvous: desk.Rendezvous, ssh: desk.SSH,
	}
	logins := accounts.New(db, accounts.DefaultCost)
	web := api.New(api.Options{
		Settings: wire.Settings{Domain: s.Domain, Scheme: scheme, Port: port, StreamKey: d.streamKey, Log: log, Now: time.Now},
		ACME:     s.ACMEDirectory != "", Sizes: s.Sizes, RendezvousPort: s.rendezvousPort(), RateLimit: s.RateLimit,
		Reachable: outside.Check, Version: versionName(), Checks: checks(s, db, containers, manager, around),
	}, api.Parts{
		Wire: wire.Parts{
			Tokens: db, Logins: logins, Authorizations: db, Accounts: db, Apps: db, Releases: db, Repeats: db,
			Lines: did, Waker: manager,
		},
		People:    people.Parts{Accounts: db, Logins: logins, Authorizations: db, Browsers: logins, Keys: db},
		Transfers: db, Owners: owners, Apps: db, Creator: rel, Deleter: h.remover, Renamer: h.renamer, Releases: db, Outputs: outputs, Releaser: rel, Rollouts: db,
		Vars: config.New(rel), Formations: db, Images: reg, Deployer: rel, Dynos: db, OneOffs: oneOffs{manager, desk}, Attach: desk, Logs: appLogs,
		Pipelines: db, PipelineVars: db, Promotions: h.promoter, Drains: db, Drainer: drainer, Minutes: db, Visits: visits{desk, manager}, Sleeps: sleeps{db, rt}, Webhooks: db,
		Schedules: db, Scheduler: schedule,
		Domains: db, Endpoints: db, Orders: tlsCerts,
	})
	h.hooks = webhooks.New(webhooks.Options{Dial: outside.Dial, Log: log, Now: time.Now}, db, web)
	h.door, h.endStreams = &door{domain: s.Domain, trusted: s.TrustedProxies, registry: h.pushes, router: rt, api: web}, web.EndStreams
	h.metrics = metrics(reg, manager, rt, appLogs, gauge)
	return h, nil
}

// logMaxBytes caps what Docker keeps of one dyno's output, per file.
const logMaxBytes = 10 << 20

// resume finishes what a crash cut short, before anything new is taken. What
// cannot be finished now is tried again by the loops.
func (h *house) resume(ctx context.Context) {
	if err := h.renamer.Resume(ctx); err != nil {
		h.log.Error("resume renames", "err", err)
	}
	if err := h.registry.Recover(ctx); err != nil {
		h.log.Error("recover pushes", "err", err)
	}
	if err := h.remover.Resume(ctx); err != nil {
		h.log.Error("resume deletions", "err", err)
	}
	if err := h.owners.Resume(ctx); err != nil {
		h.log.Error("resume owners", "err", err)
	}
}

// sleeps know which apps sleep, and since when nobody has asked for them.
type sleeps struct {
	*store.Store
	*router.Router
}

// ledgerReleases gives the dyno manager whole releases.
type ledgerReleases struct{ ledger *registry.Ledger }

func (l ledgerReleases) Release(ctx context.Context, app renga.App, digest string) (renga.Release, error) {
	return l.ledger.Get(ctx, app, digest)
}

// checks are what /healthz looks at.
func checks(s Settings, db *store.Store, containers *docker.Client, manager *runtime.Manager, around *firewall.Firewall) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"routes": func(context.Context) error {
			if !manager.Ready() {
				return renga.Errorf(renga.Unavailable, "Not every app has been looked at since the start; wait a moment.")
			}
			return nil
		},
		"redis":    db.Ping,
		"engine":   containers.Ping,
		"firewall": around.Check,
		"disk": func(context.Context) error {
			free, err := durable.FreeBytes(s.Data)
			if err == nil && free < s.MinFreeDisk {
				err = renga.Errorf(renga.NoSpace, "%d MB are free below %s, and pushes are refused below %d MB: free some space.", free>>20, s.Data, s.MinFreeDisk>>20)
			}
			return err
		},
		"engine_disk": func(ctx context.Context) error {
			free, err := containers.DiskFree(ctx)
			if err != nil { // "engine" says whether it answers
				return nil
			}
			if free < s.MinFreeDisk {
				return renga.Errorf(renga.NoSpace, "%d MB are free where Docker keeps its files, and pushes are refused below %d MB: free some space, for instance with docker image prune.", free>>20, s.MinFreeDisk>>20)
			}
			return nil
		},
	}
}
