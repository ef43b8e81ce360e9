package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"renga"
)

// importRecord is an import; see renga.Import.
type importRecord struct {
	Process     renga.ProcessType `json:"process"`
	Image       string            `json:"image"`
	Digest      string            `json:"digest,omitempty"`
	By          renga.AccountID   `json:"by"`
	Rule        string            `json:"rule,omitempty"`
	Delivery    string            `json:"delivery,omitempty"`
	State       renga.ImportState `json:"state"`
	Reason      string            `json:"reason,omitempty"`
	Copied      int64             `json:"copied,omitempty"`
	Total       int64             `json:"total,omitempty"`
	Attempts    int               `json:"attempts,omitempty"`
	NextAttempt time.Time         `json:"next_attempt,omitzero"`
	Version     int               `json:"version,omitempty"`
	CreatedAt   time.Time         `json:"created_at,omitzero"`
	UpdatedAt   time.Time         `json:"updated_at,omitzero"`
}

func newImportRecord(i renga.Import) importRecord {
	return importRecord{
		Process: i.Process, Image: i.Image, Digest: i.Digest, By: i.By, Rule: i.Rule, Delivery: i.Delivery, State: i.State,
		Reason: i.Reason, Copied: i.Copied, Total: i.Total, Attempts: i.Attempts, NextAttempt: i.NextAttempt.UTC(),
		Version: i.Version, CreatedAt: i.CreatedAt.UTC(), UpdatedAt: i.UpdatedAt.UTC(),
	}
}

func (r importRecord) imported(app renga.AppID, id string) renga.Import {
	return renga.Import{
		ID: id, App: app, Process: r.Process, Image: r.Image, Digest: r.Digest, By: r.By, Rule: r.Rule,
		Delivery: r.Delivery, State: r.State, Reason: r.Reason, Copied: r.Copied, Total: r.Total, Attempts: r.Attempts,
		NextAttempt: r.NextAttempt, Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
}

func importCollection(app renga.AppID) collection { return appCollection(app, keyImports(app)) }

// Imports lists an app's imports, oldest first.
func (s *Store) Imports(ctx context.Context, app renga.AppID) ([]renga.Import, error) {
	records, err := readCollection[importRecord](ctx, s, importCollection(app))
	if err != nil {
		return nil, err
	}
	return sortedImports(app, records), nil
}

func sortedImports(app renga.AppID, records map[string]importRecord) []renga.Import {
	all := make([]renga.Import, 0, len(records))
	for id, r := range records {
		all = append(all, r.imported(app, id))
	}
	slices.SortFunc(all, func(a, b renga.Import) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// AddImport adds an import, and forgets the oldest that are over. If the app has one
// of that id already, nothing changes, and that one is returned. It is renga.TooMany
// if too many of the app are not over.
func (s *Store) AddImport(ctx context.Context, i renga.Import) (renga.Import, error) {
	// The index first: it may name apps without imports, never miss one.
	if err := s.indexApp(ctx, keyImporting, i.App); err != nil {
		return i, err
	}
	added := i
	err := editCollection(ctx, s, importCollection(i.App), func(all map[string]importRecord) error {
		if r, there := all[i.ID]; there {
			added = r.imported(i.App, i.ID)
			return nil
		}
		open := 0
		var over []renga.Import
		for _, other := range sortedImports(i.App, all) {
			if other.State.Over() {
				over = append(over, other)
			} else {
				open++
			}
		}
		if open >= renga.MaxOpenImports && !i.State.Over() {
			return renga.Errorf(renga.TooMany, "%d imports of this app are under way; wait until some are over.", open)
		}
		for _, old := range over[:max(0, len(over)+1-renga.MaxImports)] {
			delete(all, old.ID)
		}
		all[i.ID], added = newImportRecord(i), i
		return nil
	})
	return added, err
}

// EditImport lets edit change an import; renga.NotFound if the app has none of that id.
func (s *Store) EditImport(ctx context.Context, app renga.AppID, id string,
	edit func(*renga.Import) error) (renga.Import, error) {
	var edited renga.Import
	err := editCollection(ctx, s, importCollection(app), func(all map[string]importRecord) error {
		r, there := all[id]
		if !there {
			return renga.Errorf(renga.NotFound, "There is no import %s.", id)
		}
		edited = r.imported(app, id)
		if err := edit(&edited); err != nil {
			return err
		}
		all[id] = newImportRecord(edited)
		return nil
	})
	return edited, err
}

// AppsWithImports are the apps that have or had imports.
func (s *Store) AppsWithImports(ctx context.Context) ([]renga.AppID, error) {
	return s.indexedApps(ctx, keyImporting)
}

// ForgetImports forgets that an app has imports, for the app is gone.
func (s *Store) ForgetImports(ctx context.Context, app renga.AppID) error {
	return s.unindexApp(ctx, keyImporting, app)
}

// sourceLoginRecord is a login without its password, which is sealed.
type sourceLoginRecord struct {
	Username  string    `json:"username"`
	Password  string    `json:"password"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

func sourceLoginPlace(app renga.AppID, host string) string {
	return "source " + string(app) + " " + host
}

// SourceLogins lists an app's logins to other registries by their hosts, without passwords.
func (s *Store) SourceLogins(ctx context.Context, app renga.AppID) ([]renga.SourceLogin, error) {
	records, err := readCollection[sourceLoginRecord](ctx, s, appCollection(app, keySourceLogins(app)))
	if err != nil {
		return nil, err
	}
	all := make([]renga.SourceLogin, 0, len(records))
	for host, r := range records {
		all = append(all, renga.SourceLogin{Host: host, Username: r.Username, UpdatedAt: r.UpdatedAt})
	}
	slices.SortFunc(all, func(a, b renga.SourceLogin) int { return cmp.Compare(a.Host, b.Host) })
	return all, nil
}

// SourceLogin opens an app's login to one registry; the zero one if it has none.
func (s *Store) SourceLogin(ctx context.Context, app renga.AppID, host string) (renga.SourceLogin, error) {
	records, err := readCollection[sourceLoginRecord](ctx, s, appCollection(app, keySourceLogins(app)))
	r, there := records[host]
	if err != nil || !there {
		return renga.SourceLogin{}, err
	}
	return s.openLogin(app, host, r)
}

func (s *Store) sealLogin(app renga.AppID, l renga.SourceLogin) (sourceLoginRecord, error) {
	sealed, err := s.seal(sourceLoginPlace(app, l.Host), string(l.Password))
	return sourceLoginRecord{Username: l.Username, Password: sealed, UpdatedAt: l.UpdatedAt.UTC()}, err
}

func (s *Store) openLogin(app renga.AppID, host string, r sourceLoginRecord) (renga.SourceLogin, error) {
	password, err := s.unseal(sourceLoginPlace(app, host), r.Password)
	return renga.SourceLogin{
		Host: host, Username: r.Username, Password: renga.Secret(password), UpdatedAt: r.UpdatedAt,
	}, err
}

// SetSourceLogin sets an app's login to a registry. It is renga.Invalid when the app
// has as many as it may.
func (s *Store) SetSourceLogin(ctx context.Context, app renga.AppID, l renga.SourceLogin) error {
	sealed, err := s.sealLogin(app, l)
	if err != nil {
		return err
	}
	return editCollection(ctx, s, appCollection(app, keySourceLogins(app)), func(all map[string]sourceLoginRecord) error {
		if _, there := all[l.Host]; !there && len(all) >= renga.MaxSourceLogins {
			return renga.Errorf(renga.Invalid, "An app may have credentials for %d registries; remove one first.",
				renga.MaxSourceLogins)
		}
		all[l.Host] = sealed
		return nil
	})
}

// RemoveSourceLogin removes one; renga.NotFound when it is not there.
func (s *Store) RemoveSourceLogin(ctx context.Context, app renga.AppID, host string) error {
	return editCollection(ctx, s, appCollection(app, keySourceLogins(app)), func(all map[string]sourceLoginRecord) error {
		if _, there := all[host]; !there {
			return renga.Errorf(renga.NotFound, "There are no credentials for %s.", host)
		}
		delete(all, host)
		return nil
	})
}
