package main

import (
	"time"

	"renga/accounts"
	"renga/api"
	"renga/api/addons"
	"renga/api/apps"
	"renga/api/builds"
	"renga/api/domains"
	"renga/api/dynos"
	"renga/api/events"
	"renga/api/imports"
	"renga/api/people"
	"renga/api/pipelines"
	platformapi "renga/api/platform"
	"renga/api/releases"
	"renga/api/wire"
	"renga/config"
	"renga/router"
	"renga/store"
)

func (p *platform) newAPI() *api.Server {
	logins := accounts.New(p.db, accounts.DefaultCost)
	return api.New(p.apiOptions(), api.Parts{
		Wire: p.wireParts(logins),
		Domains: domains.Parts{
			Apps:      p.db,
			Domains:   p.db,
			Endpoints: p.db,
			Orders:    p.certs,
			ACME:      p.settings.ACMEDirectory != "",
		},
		Releases: p.releaseParts(),
		Builds: builds.Parts{
			Builds:  p.db,
			Builder: p.builds,
			Uploads: p.uploads,
		},
		Imports: imports.Parts{
			Imports:     p.db,
			Importer:    p.imports,
			Credentials: p.db,
			Rules:       p.db,
			Notices:     p.db,
		},
		Apps:   p.appParts(),
		AddOns: p.addOnParts(),
		Dynos:  p.dynoParts(),
		Events: events.Parts{
			Logs:      p.logs,
			Drains:    p.db,
			Drainer:   p.drainer,
			Webhooks:  p.db,
			AddOns:    p.db,
			Reachable: p.egress.Check,
			Operator:  p.data.operator.account().ID,
		},
		Pipelines: pipelines.Parts{
			Pipelines:    p.db,
			PipelineVars: p.db,
			Promotions:   p.promoter,
			History:      p.db,
		},
		Platform: platformapi.Parts{
			Collector: p.collector,
			Disk:      p.space,
			Apps:      p.db,
			Operator:  p.data.operator.account().ID,
		},
		People: people.Parts{
			Accounts:       p.db,
			Logins:         logins,
			Authorizations: p.db,
			Browsers:       logins,
			Keys:           p.db,
		},
	})
}

// releaseParts are the rooms of the routes of releases and images.
func (p *platform) releaseParts() releases.Parts {
	return releases.Parts{
		Apps:     p.db,
		Releases: p.db,
		Outputs:  p.outputs,
		Releaser: p.releaser,
		Rollouts: p.db,
		Images:   p.registry,
		Stored:   p.registry,
		Deployer: p.releaser,
		Importer: p.imports,
	}
}

// appParts are the rooms of the routes of apps.
func (p *platform) appParts() apps.Parts {
	return apps.Parts{
		Apps:      p.db,
		Creator:   p.releaser,
		Deleter:   p.remover,
		Renamer:   p.renamer,
		Transfers: p.db,
		Owners:    p.owners,
		Vars:      config.New(p.releaser),
		Minutes:   p.db,
		Sleeps:    sleepState{p.db, p.router},
	}
}

// addOnParts are the rooms of the routes of add-ons.
func (p *platform) addOnParts() addons.Parts {
	return addons.Parts{
		Catalogue:       p.catalogue,
		AddOns:          p.db,
		Maker:           p.addOns,
		Upgrader:        p.addOns,
		Attacher:        p.addOns,
		Partners:        p.addOns,
		Grants:          p.partners,
		Usages:          p.measurer,
		Releases:        p.releaser,
		Backups:         p.backups,
		Copier:          p.backups,
		BackupRecords:   p.db,
		BackupSchedules: p.db,
		BackupDownloads: p.backups,
		Tunnels:         tunnels{p.addOns, p.attach},
		Bastion:         p.settings.Bastion,
	}
}

// dynoParts are the rooms of the routes of dynos.
func (p *platform) dynoParts() dynos.Parts {
	return dynos.Parts{
		Sizes:          p.settings.Sizes,
		Formations:     p.db,
		Images:         p.registry,
		Deployer:       p.releaser,
		Dynos:          p.db,
		OneOffs:        oneOffs{p.manager, p.attach},
		Attach:         p.attach,
		RendezvousPort: p.settings.rendezvousPort(),
		Access:         dynoAccess{p.attach, p.manager},
		Schedules:      p.db,
		Scheduler:      p.scheduler,
	}
}

func (p *platform) apiOptions() api.Options {
	known := p.settings.wire()
	known.StreamKey, known.Log, known.Now = p.data.streamKey, p.log, time.Now
	return api.Options{
		Settings:  known,
		RateLimit: p.settings.RateLimit,
		Version:   versionName(),
		Checks:    p.checks(),
	}
}

// wire are the settings that make the platform's URLs.
func (s Settings) wire() wire.Settings {
	scheme, port := s.front()
	return wire.Settings{Domain: s.Domain, Scheme: scheme, Port: port}
}

func (p *platform) wireParts(logins *accounts.Accounts) wire.Parts {
	return wire.Parts{
		Tokens:         accounts.NewTokens(tokens{p.db, p.partners}, time.Now),
		Logins:         logins,
		Authorizations: p.db,
		Accounts:       p.db,
		Apps:           p.db,
		Releases:       p.db,
		Repeats:        p.db,
		Activity:       p.activity,
		Reconciler:     p.manager,
	}
}

// sleepState knows which apps sleep, and since when nobody has asked for them.
type sleepState struct {
	*store.Store
	*router.Router
}
