// Package partner provides add-ons that somebody else runs. It is the platform's
// side of Heroku's Add-on Partner API, version 3: a program that provides an add-on
// on Heroku does so here.
//
// What a partner says of an add-on is in its record, as [renga.Partner]; nothing is
// kept here. A partner may be slow, gone or hostile: each call ends soon, few are
// under way at once, and all that it answers is checked and bounded.
package partner

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
)

// Store keeps add-ons.
type Store interface {
	AddOn(ctx context.Context, id renga.AddOnID) (renga.AddOn, error)
	AddOns(ctx context.Context) ([]renga.AddOn, error)
	// EditAddOns lets edit change add-ons in one transaction, in place; its error is
	// the answer.
	EditAddOns(ctx context.Context, ids []renga.AddOnID, edit func(map[renga.AddOnID]*renga.AddOn) error) error
	// Webhooks are those of an app; EditWebhooks changes them, by id.
	Webhooks(ctx context.Context, app renga.AppID) ([]renga.Webhook, error)
	EditWebhooks(ctx context.Context, app renga.AppID, edit func(hooks map[string]renga.Webhook) error) error
}

// Catalogue knows the services, partners' and others.
type Catalogue interface {
	Services() []catalogue.Service
	Plan(name string) (catalogue.Service, catalogue.Plan, error)
}

// Parts are what a Provider works with.
type Parts struct {
	Store     Store
	Catalogue Catalogue
	// Dial connects, and refuses forbidden addresses.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// API is the URL of the platform's API, where partners call back.
	API string
	// Domain is the platform's.
	Domain string
	Log    *slog.Logger
	Now    func() time.Time
	// Timeout is how long a partner may take to answer; 0 for Heroku's 25 seconds.
	Timeout time.Duration
}

// Provider provides partners' add-ons.
type Provider struct {
	Parts
	client *http.Client

	mu    sync.Mutex // guards calls
	calls map[string]int
}

// New makes a Provider. Nothing is started.
func New(p Parts) *Provider {
	if p.Timeout == 0 {
		p.Timeout = 25 * time.Second
	}
	return &Provider{Parts: p, client: newClient(p), calls: map[string]int{}}
}

const (
	// pendingLimit is how long a partner may provide an add-on later.
	pendingLimit = 12 * time.Hour
	// codeLifetime is how long the code of a grant can be exchanged; a request that
	// is sent again has the same code while that is good for codeLeft still.
	codeLifetime = 5 * time.Minute
	codeLeft     = time.Minute
)

// Ensure asks the partner for what it does not provide yet.
func (p *Provider) Ensure(ctx context.Context, i provider.Instance, tell func(step string)) error {
	known := i.AddOn.Partner
	switch {
	case known.Plan == "":
		tell("asking " + i.Service.HumanName)
		return p.provision(ctx, i)
	case known.State == renga.PartnerPending:
		return p.stillPending(i)
	case known.Plan != i.AddOn.Plan:
		tell("changing the plan")
		return p.changePlan(ctx, i)
	}
	return nil
}

func (p *Provider) stillPending(i provider.Instance) error {
	if p.Now().Sub(i.AddOn.CreatedAt) > pendingLimit {
		return renga.Errorf(renga.Invalid, "%s did not provide it within %.0f hours.", i.Service.HumanName,
			pendingLimit.Hours())
	}
	return provider.ErrPending
}

// Grant and Revoke do nothing: what apps get is the partner's to choose and to
// rotate.
func (p *Provider) Grant(context.Context, provider.Instance, renga.Credential) error { return nil }

// Revoke does nothing, as Grant.
func (p *Provider) Revoke(context.Context, provider.Instance, renga.Credential) error { return nil }

// Config is what the partner has set, by what follows the prefix of its names.
func (p *Provider) Config(i provider.Instance, _ renga.Credential) (renga.Vars, error) {
	vars := renga.Vars{}
	prefix := i.Service.Attachment + "_"
	for name, value := range i.AddOn.Partner.Config {
		if len(name) > len(prefix) && name[:len(prefix)] == prefix {
			vars[name[len(prefix):]] = string(value)
		}
	}
	return vars, nil
}

// Check refuses options that no partner should get, and a service whose secrets
// cannot be used.
func (p *Provider) Check(i provider.Instance) error {
	size := 0
	for name, value := range i.AddOn.Options {
		size += len(name) + len(value)
	}
	if size > maxOptions {
		return renga.Errorf(renga.Invalid, "The options of an add-on may have %d bytes together; these have %d.", maxOptions,
			size)
	}
	_, err := p.secretsOf(i.Service)
	return err
}

// maxOptions bounds what is kept of options, and sent.
const maxOptions = 8 << 10

// edit changes one add-on.
func (p *Provider) edit(ctx context.Context, id renga.AddOnID, edit func(*renga.AddOn) error) error {
	return p.Store.EditAddOns(ctx, []renga.AddOnID{id}, func(all map[renga.AddOnID]*renga.AddOn) error {
		return edit(all[id])
	})
}
