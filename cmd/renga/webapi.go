package main

import (
	"time"

	"renga/accounts"
	"renga/api"
	"renga/api/apps"
	"renga/api/domains"
	"renga/api/dynos"
	"renga/api/events"
	"renga/api/people"
	"renga/api/pipelines"
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
		Releases: releases.Parts{
			Apps:     p.db,
			Releases: p.db,
			Outputs:  p.outputs,
			Releaser: p.releaser,
			Rollouts: p.db,
			Images:   p.registry,
			Deployer: p.releaser,
		},
		Apps: apps.Parts{
			Apps:      p.db,
			Creator:   p.releaser,
			Deleter:   p.remover,
			Renamer:   p.renamer,
			Transfers: p.db,
			Owners:    p.owners,
			Vars:      config.New(p.releaser),
			Minutes:   p.db,
			Sleeps:    sleepState{p.db, p.router},
		},
		Dynos: dynos.Parts{
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
		},
		Events: events.Parts{
			Logs:      p.logs,
			Drains:    p.db,
			Drainer:   p.drainer,
			Webhooks:  p.db,
			Reachable: p.egress.Check,
		},
		Pipelines: pipelines.Parts{
			Pipelines:    p.db,
			PipelineVars: p.db,
			Promotions:   p.promoter,
			History:      p.db,
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

func (p *platform) apiOptions() api.Options {
	scheme, port := p.settings.front()
	return api.Options{
		Settings: wire.Settings{
			Domain:    p.settings.Domain,
			Scheme:    scheme,
			Port:      port,
			StreamKey: p.data.streamKey,
			Log:       p.log,
			Now:       time.Now,
		},
		RateLimit: p.settings.RateLimit,
		Version:   versionName(),
		Checks:    p.checks(),
	}
}

func (p *platform) wireParts(logins *accounts.Accounts) wire.Parts {
	return wire.Parts{
		Tokens:         p.db,
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
