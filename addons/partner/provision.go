package partner

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
)

// provisioning is what a partner is asked with, in Heroku's form.
type provisioning struct {
	CallbackURL string            `json:"callback_url"`
	Name        string            `json:"name"`
	OAuthGrant  grant             `json:"oauth_grant"`
	Options     map[string]string `json:"options"`
	Plan        string            `json:"plan"`
	Region      string            `json:"region"`
	UUID        string            `json:"uuid"`
}

// grant is what the partner exchanges for its tokens.
type grant struct {
	Code      string `json:"code"`
	ExpiresAt string `json:"expires_at"`
	Type      string `json:"type"`
}

// region is the one that the API has, in the form in which partners know regions.
const region = "amazon-web-services::us-east-1"

// provision asks the partner for an add-on. It is asked with the same id however
// often, so that it makes one.
func (p *Provider) provision(ctx context.Context, i provider.Instance) error {
	a, err := p.begin(ctx, i.AddOn.ID)
	if err != nil {
		return err
	}
	options := a.Options
	if options == nil {
		options = map[string]string{}
	}
	said, err := p.call(ctx, i, http.MethodPost, i.Service.Partner.Resources(), provisioning{
		CallbackURL: p.API + "/addons/" + string(a.ID), Name: a.Name, Options: options, Plan: a.Plan, Region: region,
		UUID: string(a.ID),
		OAuthGrant: grant{
			Code: code(a), ExpiresAt: a.Partner.CodeUntil.UTC().Format(time.RFC3339), Type: "authorization_code",
		},
	})
	if renga.KindOf(err) == renga.Invalid {
		return errors.Join(err, p.forgetAsked(ctx, a.ID))
	}
	if err != nil {
		return err
	}
	return p.recordProvided(ctx, i.Service, a, said)
}

// begin records that the partner is asked, before it is: so that it is told when
// the add-on goes, even if its answer never comes.
func (p *Provider) begin(ctx context.Context, id renga.AddOnID) (renga.AddOn, error) {
	var begun renga.AddOn
	err := p.edit(ctx, id, func(a *renga.AddOn) error {
		if gone(*a) {
			return renga.Errorf(renga.NotFound, "The add-on %s is being removed.", a.Name)
		}
		if a.Partner.State == "" {
			a.Partner.State = renga.PartnerAsked
		}
		if now := p.Now(); a.Partner.CodeUntil.Before(now.Add(codeLeft)) {
			a.Partner.CodeUntil = now.Add(codeLifetime).UTC().Truncate(time.Second)
		}
		begun = a.Clone()
		return nil
	})
	return begun, err
}

// forgetAsked records that the partner has nothing of the add-on: it refused.
func (p *Provider) forgetAsked(ctx context.Context, id renga.AddOnID) error {
	return p.edit(ctx, id, func(a *renga.AddOn) error {
		if a.Partner.State == renga.PartnerAsked {
			a.Partner.State, a.Partner.CodeUntil = "", time.Time{}
		}
		return nil
	})
}

// recordProvided records the answer. What the partner has set over the API since
// it was asked is newer than what it answers.
func (p *Provider) recordProvided(ctx context.Context, s catalogue.Service, asked renga.AddOn, said answer) error {
	pending := false
	err := p.edit(ctx, asked.ID, func(a *renga.AddOn) error {
		x := &a.Partner
		config, err := together(s, said.config, x.Config)
		if err != nil {
			return err
		}
		x.ID, x.Message, x.Plan, x.Config, a.Fault = said.id, said.message, asked.Plan, config, ""
		if said.status != http.StatusAccepted {
			x.State = renga.PartnerProvides
		} else if x.State != renga.PartnerProvides { // it may have called back already
			x.State = renga.PartnerPending
		}
		pending = x.State == renga.PartnerPending
		return nil
	})
	if err == nil && pending {
		return provider.ErrPending
	}
	return err
}

// changePlan asks for another plan. One that the partner refuses is not the
// add-on's any more.
func (p *Provider) changePlan(ctx context.Context, i provider.Instance) error {
	wanted := i.AddOn.Plan
	said, err := p.callAddOn(ctx, i, http.MethodPut, map[string]string{"plan": wanted})
	if err == nil {
		err = p.edit(ctx, i.AddOn.ID, func(a *renga.AddOn) error { return recordPlan(i.Service, a, wanted, said) })
	}
	if renga.KindOf(err) == renga.Invalid {
		return errors.Join(err, p.edit(ctx, i.AddOn.ID, func(a *renga.AddOn) error {
			if a.Plan == wanted {
				a.Plan = a.Partner.Plan
			}
			return nil
		}))
	}
	return err
}

func recordPlan(s catalogue.Service, a *renga.AddOn, plan string, said answer) error {
	config, err := together(s, a.Partner.Config, said.config)
	if err != nil {
		return err
	}
	a.Partner.Plan, a.Partner.Config, a.Partner.Message = plan, config, cmp.Or(said.message, a.Partner.Message)
	return nil
}

// together are the config vars of two sources, the newer ones last. What a partner
// may set in one answer it may not set in each.
func together(s catalogue.Service, old, newer map[string]renga.Secret) (map[string]renga.Secret, error) {
	all, vars := map[string]renga.Secret{}, renga.Vars{}
	for _, some := range []map[string]renga.Secret{old, newer} {
		for name, value := range some {
			all[name], vars[name] = value, string(value)
		}
	}
	return all, s.CheckPartnerConfig(vars)
}

// Remove tells the partner that the add-on is gone, until it takes note.
func (p *Provider) Remove(ctx context.Context, i provider.Instance) error {
	if err := p.endWebhooks(ctx, i.AddOn); err != nil {
		return err
	}
	if i.AddOn.Partner.State == "" {
		return nil // it was never asked, or refused
	}
	_, err := p.callAddOn(ctx, i, http.MethodDelete, nil)
	var unknown errUnknown
	if errors.As(err, &unknown) {
		return nil
	}
	return err
}

// endWebhooks removes what the partner was to be told by. Nothing was delivered to it
// any more since the add-on began to go.
func (p *Provider) endWebhooks(ctx context.Context, a renga.AddOn) error {
	hooks, err := p.Store.Webhooks(ctx, a.App)
	if renga.KindOf(err) == renga.NotFound {
		return nil // they went with the app
	}
	own := func(h renga.Webhook) bool { return h.AddOn == a.ID }
	if err != nil || !slices.ContainsFunc(hooks, own) {
		return err
	}
	err = p.Store.EditWebhooks(ctx, a.App, func(hooks map[string]renga.Webhook) error {
		maps.DeleteFunc(hooks, func(_ string, h renga.Webhook) bool { return own(h) })
		return nil
	})
	if renga.KindOf(err) == renga.NotFound {
		return nil
	}
	return err
}

// callAddOn calls about one add-on, by the id that the partner was given. Older
// ones know only the id that they gave.
func (p *Provider) callAddOn(ctx context.Context, i provider.Instance, method string, body any) (answer, error) {
	url := func(id string) string { return i.Service.Partner.Resources() + "/" + pathEscape(id) }
	said, err := p.call(ctx, i, method, url(string(i.AddOn.ID)), body)
	own := i.AddOn.Partner.ID
	var unknown errUnknown
	if errors.As(err, &unknown) && unknown.status == http.StatusNotFound && own != "" && own != string(i.AddOn.ID) {
		return p.call(ctx, i, method, url(own), body)
	}
	return said, err
}

// gone tells whether an add-on is being removed, or was.
func gone(a renga.AddOn) bool {
	return a.State == renga.Deprovisioning || a.State == renga.Deprovisioned
}
