package wiretest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/addons/catalogue"
)

// Services is a catalogue.
type Services []catalogue.Service

// Catalogue has two services.
var Catalogue = Services{
	{
		Name: "heroku-postgresql", HumanName: "Heroku Postgres", Aliases: []string{"postgresql"}, Provider: "container",
		Attachment: "DATABASE", Alternative: "HEROKU_POSTGRESQL", Prefix: "postgresql",
		Config: map[string]catalogue.Template{"URL": {}},
		Plans:  []catalogue.Plan{{Name: "essential-0", HumanName: "Essential 0"}, {Name: "standard-0", HumanName: "Standard 0"}},
	},
	{
		Name: "heroku-redis", HumanName: "Heroku Key-Value Store", Provider: "container", Attachment: "REDIS", Prefix: "redis",
		Config: map[string]catalogue.Template{"URL": {}}, Plans: []catalogue.Plan{{Name: "mini", HumanName: "Mini"}},
	},
}

// Services are all of them.
func (all Services) Services() []catalogue.Service { return all }

// Plan finds a plan as the catalogue does.
func (all Services) Plan(name string) (catalogue.Service, catalogue.Plan, error) {
	service, plan, chosen := strings.Cut(name, ":")
	for _, s := range all {
		for _, p := range s.Plans {
			if (s.Name == service || slices.Contains(s.Aliases, service)) && (!chosen || p.Name == plan) {
				return s, p, nil
			}
		}
	}
	return catalogue.Service{}, catalogue.Plan{}, renga.Errorf(renga.Invalid,
		"Couldn't find either the add-on service or the add-on plan of %q.", name)
}

// The add-ons that a full fixture has: one of hello, attached to it and to
// shop, one of hello that is attached to nothing, and one of Bob's app.
const (
	Database   = renga.AddOnID("70000000-0000-4000-8000-000000000001")
	BobsCache  = renga.AddOnID("70000000-0000-4000-8000-000000000002")
	OwnCache   = renga.AddOnID("70000000-0000-4000-8000-000000000003")
	AsDatabase = "71000000-0000-4000-8000-000000000001"
	AsLedger   = "71000000-0000-4000-8000-000000000002"
	AsCache    = "71000000-0000-4000-8000-000000000003"
	// DatabaseURL is the value of hello's config var DATABASE_URL.
	DatabaseURL = "postgres://u1:" + Marker + "@postgresql-curved-12345.internal:5432/d1"
)

// addAddOns makes them. The newest release of hello has the credentials of one.
func addAddOns(s *Seed) {
	add := func(id renga.AddOnID, name, service, plan string, app renga.AppID, to ...renga.Attachment) {
		a := renga.AddOn{
			ID: id, Name: name, Host: name + renga.AddOnDomain, App: app, Service: service, Plan: plan,
			State: renga.Provisioned, Admin: Marker, Generation: 1, By: Ada.ID, CreatedAt: Born, UpdatedAt: Born,
			Credentials: []renga.Credential{{
				Name: renga.DefaultCredential, Version: 1, User: "u1", Password: Marker, State: renga.CredentialActive,
			}},
		}
		for _, at := range to {
			at.Credential, at.CreatedAt, at.UpdatedAt = renga.DefaultCredential, Born, Born
			a.Attachments = append(a.Attachments, at)
		}
		s.AddOns = append(s.AddOns, a)
	}
	add(Database, "postgresql-curved-12345", "heroku-postgresql", "essential-0", Hello,
		renga.Attachment{ID: AsDatabase, App: Hello, Name: "DATABASE"},
		renga.Attachment{ID: AsLedger, App: Shop, Name: "LEDGER"})
	add(OwnCache, "redis-flat-11111", "heroku-redis", "mini", Hello)
	add(BobsCache, "redis-round-54321", "heroku-redis", "mini", Other,
		renga.Attachment{ID: AsCache, App: Other, Name: "REDIS"})
	s.Releases[Hello][3].Inputs.Credentials = map[renga.AddOnID]renga.Credentials{Database: {
		Plan: "heroku-postgresql:essential-0", Version: 1, Vars: renga.Vars{"DATABASE_URL": DatabaseURL},
	}}
}

// Usage is that of the database, and of no other.
func (f FakeAddOns) Usage(id renga.AddOnID) renga.AddOnUsage {
	if id != Database {
		return renga.AddOnUsage{}
	}
	return renga.AddOnUsage{
		At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Shares: map[renga.Measure]renga.Share{
			renga.MeasureConnections: {Used: 18, Limit: 20},
			renga.MeasureData:        {Used: 1020054733, Limit: 1 << 30},
			renga.MeasureMemory:      {Used: 1 << 20},
		},
	}
}

// FakeAddOns stands in for the room of add-ons. What it is asked for is at once so,
// in the fixture's store.
type FakeAddOns struct{ *Fixture }

// Create makes one that is being provisioned.
func (f FakeAddOns) Create(ctx context.Context, app renga.App, r renga.AddOnRequest, by renga.AccountID) (
	renga.AddOn, error) {
	c, p, err := Catalogue.Plan(r.Plan)
	if err != nil {
		return renga.AddOn{}, err
	}
	a := renga.AddOn{
		ID: renga.AddOnID(uuid.NewString()), Name: cmp.Or(r.Name, c.Prefix+"-flat-1"), App: app.ID, Service: c.Name,
		Plan: p.Name, Options: maps.Clone(r.Options), State: renga.Provisioning, By: by, CreatedAt: Born, UpdatedAt: Born,
	}
	at, err := f.attachment(ctx, c, renga.AttachmentRequest{App: app.ID, Name: r.Attachment, Confirm: r.Confirm})
	if err != nil {
		return a, err
	}
	a.Attachments = []renga.Attachment{at}
	return a, f.DB.CreateAddOn(ctx, a)
}

// attachment is one for which a name is free, or was made free.
func (f FakeAddOns) attachment(ctx context.Context, c catalogue.Service, r renga.AttachmentRequest) (
	renga.Attachment, error) {
	at := renga.Attachment{
		ID: uuid.NewString(), App: r.App, Name: cmp.Or(r.Name, c.Attachment), CreatedAt: Born, UpdatedAt: Born,
		Credential: cmp.Or(r.Credential, renga.DefaultCredential),
	}
	all, err := f.DB.AddOnsOf(ctx, r.App)
	for _, a := range all {
		for _, other := range a.Attachments {
			if other.App != r.App || other.Name != at.Name {
				continue
			}
			if r.Name == "" {
				at.Name = cmp.Or(c.Alternative, c.Attachment) + "_COBALT"
			} else if app, err := f.DB.App(ctx, r.App); err != nil || r.Confirm != app.Name {
				return at, renga.Errorf(renga.Unconfirmed, "The name %s is taken by another add-on.", at.Name)
			} else if err = f.Detach(ctx, a.ID, other.ID, ""); err != nil {
				return at, err
			}
		}
	}
	return at, err
}

// Attach attaches it at once.
func (f FakeAddOns) Attach(ctx context.Context, id renga.AddOnID, r renga.AttachmentRequest, _ renga.AccountID) (
	renga.Attachment, error) {
	a, err := f.DB.AddOn(ctx, id)
	if err != nil {
		return renga.Attachment{}, err
	}
	c, _, err := Catalogue.Plan(a.Service)
	if err != nil {
		return renga.Attachment{}, err
	}
	at, err := f.attachment(ctx, c, r)
	if err != nil {
		return at, err
	}
	return at, f.edit(ctx, id, func(a *renga.AddOn) { a.Attachments = append(a.Attachments, at) })
}

// Detach has the attachment leave.
func (f FakeAddOns) Detach(ctx context.Context, id renga.AddOnID, attachment string, _ renga.AccountID) error {
	return f.edit(ctx, id, func(a *renga.AddOn) { a.Attachment(attachment).Leaving = true })
}

// Rename renames it.
func (f FakeAddOns) Rename(ctx context.Context, id renga.AddOnID, name string) error {
	return f.edit(ctx, id, func(a *renga.AddOn) { a.Name = name })
}

// ChangePlan changes it.
func (f FakeAddOns) ChangePlan(ctx context.Context, id renga.AddOnID, plan string, _ renga.AccountID) error {
	_, p, err := Catalogue.Plan(plan)
	if err != nil {
		return err
	}
	return f.edit(ctx, id, func(a *renga.AddOn) { a.Plan = p.Name })
}

// Rotate counts.
func (f FakeAddOns) Rotate(ctx context.Context, id renga.AddOnID, _ string, _ renga.AccountID) error {
	return f.edit(ctx, id, func(a *renga.AddOn) { a.Generation++ })
}

// Upgrade notes what is asked for, of version 17 unless it says another.
func (f FakeAddOns) Upgrade(ctx context.Context, id renga.AddOnID, as renga.UpgradeState, version string, by renga.AccountID) (
	renga.Upgrade, error) {
	u := renga.Upgrade{State: as, Other: renga.Place{Version: cmp.Or(version, "17")}, By: by}
	return u, f.edit(ctx, id, func(a *renga.AddOn) { a.Upgrade = u })
}

// CancelUpgrade forgets it.
func (f FakeAddOns) CancelUpgrade(ctx context.Context, id renga.AddOnID) error {
	return f.edit(ctx, id, func(a *renga.AddOn) { a.Upgrade = renga.Upgrade{} })
}

// UndoUpgrade notes that it goes back.
func (f FakeAddOns) UndoUpgrade(ctx context.Context, id renga.AddOnID, by renga.AccountID) error {
	return f.edit(ctx, id, func(a *renga.AddOn) { a.Upgrade.State, a.Upgrade.By = renga.UpgradeReturning, by })
}

// DropUpgrade notes that what is kept goes.
func (f FakeAddOns) DropUpgrade(ctx context.Context, id renga.AddOnID, by renga.AccountID) error {
	return f.edit(ctx, id, func(a *renga.AddOn) { a.Upgrade.State, a.Upgrade.By = renga.UpgradeDropping, by })
}

// Destroy refuses what other apps have attached, as the room does.
func (f FakeAddOns) Destroy(ctx context.Context, id renga.AddOnID, force bool, _ renga.AccountID) error {
	a, err := f.DB.AddOn(ctx, id)
	if err == nil && !force && slices.ContainsFunc(a.Apps(), func(app renga.AppID) bool { return app != a.App }) {
		err = renga.Errorf(renga.Invalid, "The add-on %s is attached to other apps.", a.Name)
	}
	if err != nil {
		return err
	}
	return f.DB.RemoveAddOn(ctx, id)
}

func (f FakeAddOns) edit(ctx context.Context, id renga.AddOnID, edit func(*renga.AddOn)) error {
	return f.DB.EditAddOns(ctx, []renga.AddOnID{id}, func(all map[renga.AddOnID]*renga.AddOn) error {
		edit(all[id])
		return nil
	})
}

// SetConfig, Provisioned and Deprovisioned are what partners say.
func (f FakeAddOns) SetConfig(ctx context.Context, id renga.AddOnID, set map[string]*string) error {
	return f.edit(ctx, id, func(a *renga.AddOn) {
		a.Partner.Config = map[string]renga.Secret{}
		for name, value := range set {
			if value != nil {
				a.Partner.Config[name] = renga.Secret(*value)
			}
		}
	})
}

// Provisioned notes it.
func (f FakeAddOns) Provisioned(ctx context.Context, id renga.AddOnID) error {
	return f.edit(ctx, id, func(a *renga.AddOn) { a.Partner.State = renga.PartnerProvides })
}

// Deprovisioned notes it.
func (f FakeAddOns) Deprovisioned(ctx context.Context, id renga.AddOnID) error {
	return f.edit(ctx, id, func(a *renga.AddOn) { a.State = renga.Deprovisioning })
}

// Exchange takes the code "code" of a partner whose secret is "secret".
func (f FakeAddOns) Exchange(_ context.Context, code, clientSecret string) (renga.PartnerTokens, error) {
	if code != "code" || clientSecret != "secret" {
		return renga.PartnerTokens{}, renga.Errorf(renga.Unauthorized, "The code or token is not valid.")
	}
	return renga.PartnerTokens{AddOn: Database, Access: Marker, Refresh: "refresh", ExpiresIn: time.Hour}, nil
}

// Renew takes the token "refresh".
func (f FakeAddOns) Renew(ctx context.Context, refresh, clientSecret string) (renga.PartnerTokens, error) {
	if refresh != "refresh" {
		refresh = ""
	}
	return f.Exchange(ctx, strings.ReplaceAll(refresh, "refresh", "code"), clientSecret)
}

// SignOn makes a form.
func (f FakeAddOns) SignOn(a renga.AddOn, _ renga.App, who renga.Account) (renga.SignOn, error) {
	return renga.SignOn{
		Action: "https://partner.example/sso", Fields: map[string]string{"resource_id": string(a.ID), "email": who.Email},
	}, nil
}
