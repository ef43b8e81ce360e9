package main

import (
	"context"
	"log/slog"
	"net/netip"

	"renga"
	"renga/accounts"
	"renga/addons/catalogue"
	"renga/addons/partner"
	"renga/docker"
	"renga/durable"
	"renga/egress"
	"renga/logs"
	"renga/output"
	"renga/registry"
	"renga/seal"
	"renga/store"
)

// base is what the rooms stand on: the settings, and what is opened before any of
// them is made.
type base struct {
	settings Settings
	data     *data
	db       *store.Store
	fronts   []netip.AddrPort // where clients come in
	log      *slog.Logger

	keys      *seal.Keyset
	pullToken string // with which the engine pulls from the registry
	ledger    *registry.Ledger
	docker    *docker.Client
	catalogue *catalogue.Catalogue
	logs      *logs.Logs
	outputs   *output.Outputs
	egress    *egress.Policy
	partners  *partner.Provider
	activity  activity
	disk      *durable.Marks // of the data directory
}

// openBase opens what is not open yet. Its logs must be closed.
func openBase(
	s Settings, d *data, keys *seal.Keyset, db *store.Store, fronts []netip.AddrPort, log *slog.Logger,
) (base, error) {
	offered, err := catalogue.Load(s.AddOns)
	if err != nil {
		return base{}, err
	}
	pullToken := accounts.NewToken()
	ledger, err := registry.OpenLedger(s.path("registry"), keys)
	if err != nil {
		return base{}, err
	}
	containers, err := docker.New(docker.Options{
		Host:        s.DockerHost,
		Platform:    d.platform.ID,
		Registry:    s.registryAddress(),
		PullToken:   pullToken,
		NetworkPool: s.NetworkPool,
		Log:         log,
	})
	if err != nil {
		return base{}, err
	}
	appLogs, err := logs.New(logs.Options{
		Dir:      s.path("logs"),
		MaxBytes: s.LogBytes,
		Log:      log,
	})
	if err != nil {
		return base{}, err
	}
	b := base{
		settings:  s,
		data:      d,
		keys:      keys,
		db:        db,
		fronts:    fronts,
		log:       log,
		pullToken: pullToken,
		ledger:    ledger,
		docker:    containers,
		catalogue: offered,
		logs:      appLogs,
		outputs:   output.New(output.Options{Dir: s.path("outputs")}),
		egress:    egress.New(s.EgressAllow),
		activity:  activity{logs: appLogs, db: db},
		disk:      &durable.Marks{Dir: s.Data, Low: s.LowDisk, Full: s.MinFreeDisk},
	}
	b.partners = b.newPartners()
	return b, nil
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

// ledgerReleases gives the dyno manager whole releases.
type ledgerReleases struct{ ledger *registry.Ledger }

func (l ledgerReleases) Release(ctx context.Context, app renga.App, digest string) (renga.Release, error) {
	return l.ledger.Get(ctx, app, digest)
}
