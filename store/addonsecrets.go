package store

import (
	"fmt"
	"maps"

	"renga"
)

// sealAddOn is what is stored of an add-on. Secrets that are as they were before
// stay as they are in the old record.
func (s *Store) sealAddOn(a, before renga.AddOn, old addOnRecord) (addOnRecord, error) {
	r := addOnRecord{
		ID: a.ID, Name: a.Name, Host: a.Host, App: a.App, Service: a.Service, Plan: a.Plan, Options: a.Options,
		State: a.State, Step: a.Step, Fault: a.Fault, Warnings: maps.Clone(a.Warnings), Generation: a.Generation,
		By: a.By, ChangedBy: a.ChangedBy,
		Partner: partnerRecord{
			ID: a.Partner.ID, Message: a.Partner.Message, State: a.Partner.State, Plan: a.Partner.Plan,
			CodeUntil: a.Partner.CodeUntil.UTC(),
		},
		Home: a.Home, Upgrade: newUpgradeRecord(a.Upgrade),
		CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(),
	}
	for _, at := range a.Attachments {
		r.Attachments = append(r.Attachments, newAttachmentRecord(at))
	}
	var err error
	if r.Admin, err = s.reseal(addOnPlace(a.ID, "admin"), a.Admin, before.Admin, old.Admin); err != nil {
		return r, err
	}
	if r.Partner.Config, err = s.sealConfig(a, before, old); err != nil {
		return r, err
	}
	r.Credentials, err = s.sealCredentials(a, before, old)
	return r, err
}

func (s *Store) sealConfig(a, before renga.AddOn, old addOnRecord) (map[string]string, error) {
	var err error
	config := make(map[string]string, len(a.Partner.Config))
	for name, value := range a.Partner.Config {
		config[name], err = s.reseal(configPlace(a.ID, name), value, before.Partner.Config[name], old.Partner.Config[name])
		if err != nil {
			return nil, err
		}
	}
	return config, nil
}

func (s *Store) sealCredentials(a, before renga.AddOn, old addOnRecord) ([]credentialRecord, error) {
	was, sealed := map[string]renga.Secret{}, map[string]string{}
	for i, c := range before.Credentials {
		was[credentialPlace(a.ID, c.Name, c.Version)] = c.Password
		sealed[credentialPlace(a.ID, c.Name, c.Version)] = old.Credentials[i].Password
	}
	var all []credentialRecord
	for _, c := range a.Credentials {
		place := credentialPlace(a.ID, c.Name, c.Version)
		password, err := s.reseal(place, c.Password, was[place], sealed[place])
		if err != nil {
			return nil, err
		}
		all = append(all, credentialRecord{
			Name: c.Name, Version: c.Version, User: c.User, Password: password, State: c.State, CreatedAt: c.CreatedAt.UTC(),
		})
	}
	return all, nil
}

// reseal seals a secret unless it is what is sealed already. No secret is stored
// as none.
func (s *Store) reseal(place string, secret, before renga.Secret, sealed string) (string, error) {
	switch {
	case secret == "":
		return "", nil
	case sealed != "" && secret == before:
		return sealed, nil
	}
	return s.seal(place, string(secret))
}

// openAddOn is the add-on with its secrets. It shares nothing with the record.
func (s *Store) openAddOn(r addOnRecord) (renga.AddOn, error) {
	a := r.addOn()
	var err error
	if a.Admin, err = s.open(addOnPlace(r.ID, "admin"), r.Admin); err != nil {
		return a, err
	}
	for name, sealed := range r.Partner.Config {
		if a.Partner.Config[name], err = s.open(configPlace(r.ID, name), sealed); err != nil {
			return a, err
		}
	}
	for i, c := range r.Credentials {
		place := credentialPlace(r.ID, c.Name, c.Version)
		if a.Credentials[i].Password, err = s.open(place, c.Password); err != nil {
			return a, err
		}
	}
	return a, nil
}

func (s *Store) open(place, sealed string) (renga.Secret, error) {
	if sealed == "" {
		return "", nil
	}
	secret, err := s.unseal(place, sealed)
	return renga.Secret(secret), err
}

// addOn is the add-on without its secrets, with places for them.
func (r addOnRecord) addOn() renga.AddOn {
	a := renga.AddOn{
		ID: r.ID, Name: r.Name, Host: r.Host, App: r.App, Service: r.Service, Plan: r.Plan, State: r.State,
		Step: r.Step, Fault: r.Fault, Generation: r.Generation, By: r.By, ChangedBy: r.ChangedBy,
		Partner: renga.Partner{
			ID: r.Partner.ID, Message: r.Partner.Message, State: r.Partner.State, Plan: r.Partner.Plan,
			CodeUntil: r.Partner.CodeUntil.UTC(),
		},
		Home: r.Home, Upgrade: r.Upgrade.upgrade(),
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	a.Options, a.Warnings = maps.Clone(r.Options), maps.Clone(r.Warnings)
	if len(r.Partner.Config) > 0 {
		a.Partner.Config = make(map[string]renga.Secret, len(r.Partner.Config))
	}
	for _, c := range r.Credentials {
		a.Credentials = append(a.Credentials, renga.Credential{
			Name: c.Name, Version: c.Version, User: c.User, State: c.State, CreatedAt: c.CreatedAt.UTC(),
		})
	}
	for _, at := range r.Attachments {
		a.Attachments = append(a.Attachments, at.attachment())
	}
	return a
}

func newAttachmentRecord(at renga.Attachment) attachmentRecord {
	at.CreatedAt, at.UpdatedAt = at.CreatedAt.UTC(), at.UpdatedAt.UTC()
	return attachmentRecord(at)
}

func (r attachmentRecord) attachment() renga.Attachment {
	r.CreatedAt, r.UpdatedAt = r.CreatedAt.UTC(), r.UpdatedAt.UTC()
	return renga.Attachment(r)
}

func addOnPlace(id renga.AddOnID, what string) string { return "add-on " + string(id) + " " + what }

func configPlace(id renga.AddOnID, name string) string { return addOnPlace(id, "config "+name) }

func credentialPlace(id renga.AddOnID, name string, version int) string {
	return addOnPlace(id, fmt.Sprintf("credential %d %s", version, name))
}
