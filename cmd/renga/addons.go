package main

import (
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/addons"
	"renga/addons/catalogue"
	"renga/addons/container"
	"renga/addons/disk"
	"renga/addons/provider"
	"renga/addons/sharedpostgres"
	"renga/logs"
	"renga/releaser"
)

func (b base) newAddOns(rel *releaser.Releaser) *addons.Service {
	return addons.New(addons.Parts{
		Store:     b.db,
		Writer:    b.db,
		Apps:      b.db,
		Releaser:  rel,
		Catalogue: b.catalogue,
		Providers: b.providers(),
		Logs:      b.logs,
		Notes:     b.ledger,
		Log:       b.log,
		Now:       time.Now,
		NewID:     uuid.NewString,
	})
}

// measurements is how many readings of dynos come between two of add-ons, which cost
// more: a minute, unless the setting says otherwise.
const measurements = 3

func (b base) newMeasurer(of *addons.Service) *addons.Measurer {
	return addons.NewMeasurer(of, addons.MeasurerOptions{
		Every:   measurements * b.settings.MetricsEvery,
		Machine: b.docker.DiskShare,
	})
}

// providers are those that the catalogue may name.
func (b base) providers() map[string]provider.Provider {
	containers := container.New(container.Options{
		Docker: b.docker,
		Logs:   appsOnly{b.logs},
		Log:    b.log,
		Now:    time.Now,
	})
	shared := sharedpostgres.New(sharedpostgres.Options{
		Platform:  b.data.platform.ID,
		Secret:    b.data.secret,
		Server:    containers,
		Store:     b.db,
		Catalogue: b.catalogue,
		Now:       time.Now,
	})
	return map[string]provider.Provider{
		catalogue.Container:      containers,
		catalogue.Partner:        b.partners,
		catalogue.SharedPostgres: shared,
		catalogue.Disk:           disk.New(disk.Options{Docker: b.docker, Now: time.Now}),
	}
}

// appsOnly keeps lines of apps. A server that many apps share writes into none of
// their logs, for what it says of one is not the others' business.
type appsOnly struct{ *logs.Logs }

// Line is that of the logs.
func (l appsOnly) Line(app renga.AppID, source, dyno, text string) {
	if app != "" {
		l.Logs.Line(app, source, dyno, text)
	}
}

// Keep is that of the logs.
func (l appsOnly) Keep(app renga.AppID, instance string, lines []renga.LogLine, mark renga.LogMark) {
	if app != "" {
		l.Logs.Keep(app, instance, lines, mark)
	}
}

// Mark is that of the logs.
func (l appsOnly) Mark(app renga.AppID, instance string) renga.LogMark {
	if app == "" {
		return renga.LogMark{}
	}
	return l.Logs.Mark(app, instance)
}

// Forget is that of the logs.
func (l appsOnly) Forget(app renga.AppID, instance string) error {
	if app == "" {
		return nil
	}
	return l.Logs.Forget(app, instance)
}
