package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"renga"
)

// importRuleRecord is a rule; see renga.ImportRule.
type importRuleRecord struct {
	Source     string            `json:"source"`
	Repository string            `json:"repository"`
	Tags       string            `json:"tags"`
	Process    renga.ProcessType `json:"process"`
	By         renga.AccountID   `json:"by"`
	Secret     string            `json:"secret"` // sealed
	Account    string            `json:"service_account,omitempty"`
	CreatedAt  time.Time         `json:"created_at,omitzero"`
	Polling    pollingRecord     `json:"polling,omitzero"`
}

// pollingRecord is how a rule asks; see renga.Polling.
type pollingRecord struct {
	Every    time.Duration `json:"every"`
	Digest   string        `json:"digest,omitempty"`
	ETag     string        `json:"etag,omitempty"`
	Changes  int           `json:"changes,omitempty"`
	Failures int           `json:"failures,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	At       time.Time     `json:"at,omitzero"`
	Next     time.Time     `json:"next,omitzero"`
}

func importRulePlace(app renga.AppID, id string) string {
	return "import rule " + string(app) + " " + id
}

func importRules(app renga.AppID) collection { return appCollection(app, keyImportRules(app)) }

func (s *Store) sealImportRule(r renga.ImportRule) (importRuleRecord, error) {
	sealed, err := s.seal(importRulePlace(r.App, r.ID), string(r.Secret))
	return importRuleRecord{
		Source: r.Source, Repository: r.Repository, Tags: r.Tags, Process: r.Process, By: r.By, Secret: sealed,
		Account: r.ServiceAccount, CreatedAt: r.CreatedAt.UTC(), Polling: pollingRecord(r.Polling),
	}, err
}

// rule is the rule without its secret.
func (r importRuleRecord) rule(app renga.AppID, id string) renga.ImportRule {
	return renga.ImportRule{
		ID: id, App: app, Source: r.Source, Repository: r.Repository, Tags: r.Tags, Process: r.Process, By: r.By,
		ServiceAccount: r.Account, CreatedAt: r.CreatedAt, Polling: renga.Polling(r.Polling),
	}
}

func (s *Store) openImportRule(app renga.AppID, id string, r importRuleRecord) (renga.ImportRule, error) {
	rule := r.rule(app, id)
	secret, err := s.unseal(importRulePlace(app, id), r.Secret)
	rule.Secret = renga.Secret(secret)
	return rule, err
}

// ImportRules lists an app's rules without their secrets, oldest first.
func (s *Store) ImportRules(ctx context.Context, app renga.AppID) ([]renga.ImportRule, error) {
	records, err := readCollection[importRuleRecord](ctx, s, importRules(app))
	if err != nil {
		return nil, err
	}
	all := make([]renga.ImportRule, 0, len(records))
	for id, r := range records {
		all = append(all, r.rule(app, id))
	}
	slices.SortFunc(all, func(a, b renga.ImportRule) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// ImportRule finds a rule, with its secret; renga.NotFound if the app has none of
// that id.
func (s *Store) ImportRule(ctx context.Context, app renga.AppID, id string) (renga.ImportRule, error) {
	records, err := readCollection[importRuleRecord](ctx, s, importRules(app))
	if err != nil {
		return renga.ImportRule{}, err
	}
	r, there := records[id]
	if !there {
		return renga.ImportRule{}, renga.Errorf(renga.NotFound, "There is no registry webhook %s.", renga.Clip(id, 50))
	}
	return s.openImportRule(app, id, r)
}

// AddImportRule adds a rule. It is renga.Invalid when the app has as many as it may.
func (s *Store) AddImportRule(ctx context.Context, r renga.ImportRule) error {
	sealed, err := s.sealImportRule(r)
	if err != nil {
		return err
	}
	if r.Polling.Every > 0 { // the index first: it may name apps that do not poll, never miss one
		if err := s.indexApp(ctx, keyPolling, r.App); err != nil {
			return err
		}
	}
	return editCollection(ctx, s, importRules(r.App), func(all map[string]importRuleRecord) error {
		if len(all) >= renga.MaxImportRules {
			return renga.Errorf(renga.Invalid, "An app may have %d registry webhooks; remove one first.", renga.MaxImportRules)
		}
		all[r.ID] = sealed
		return nil
	})
}

// RemoveImportRule removes a rule; renga.NotFound if it is not there.
func (s *Store) RemoveImportRule(ctx context.Context, app renga.AppID, id string) error {
	return editCollection(ctx, s, importRules(app), func(all map[string]importRuleRecord) error {
		if _, there := all[id]; !there {
			return renga.Errorf(renga.NotFound, "There is no registry webhook %s.", renga.Clip(id, 50))
		}
		delete(all, id)
		return nil
	})
}

// AppsThatPoll are the apps that have or had rules that ask by themselves.
func (s *Store) AppsThatPoll(ctx context.Context) ([]renga.AppID, error) {
	return s.indexedApps(ctx, keyPolling)
}

// ForgetPolling forgets that an app has such rules, for the app is gone.
func (s *Store) ForgetPolling(ctx context.Context, app renga.AppID) error {
	return s.unindexApp(ctx, keyPolling, app)
}

// SetPolling writes down what a rule was told; renga.NotFound if the rule is gone.
func (s *Store) SetPolling(ctx context.Context, app renga.AppID, rule string, p renga.Polling) error {
	return editCollection(ctx, s, importRules(app), func(all map[string]importRuleRecord) error {
		r, there := all[rule]
		if !there {
			return renga.Errorf(renga.NotFound, "There is no registry webhook %s.", renga.Clip(rule, 50))
		}
		p.At, p.Next = p.At.UTC(), p.Next.UTC()
		r.Polling = pollingRecord(p)
		all[rule] = r
		return nil
	})
}
