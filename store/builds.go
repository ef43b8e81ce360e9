package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"renga"
)

// buildRecord is a build; see renga.Build.
type buildRecord struct {
	Number     int              `json:"number"`
	By         renga.AccountID  `json:"by"`
	State      renga.BuildState `json:"state"`
	URL        string           `json:"url,omitempty"`
	Checksum   string           `json:"checksum,omitempty"`
	Commit     string           `json:"commit,omitempty"`
	Branch     string           `json:"branch,omitempty"`
	Author     string           `json:"author,omitempty"`
	Message    string           `json:"message,omitempty"`
	Builder    string           `json:"builder,omitempty"`
	Buildpacks []string         `json:"buildpacks,omitempty"`
	Reason     string           `json:"reason,omitempty"`
	Replaces   bool             `json:"replaces,omitempty"`
	Digest     string           `json:"digest,omitempty"`
	Version    int              `json:"version,omitempty"`
	CreatedAt  time.Time        `json:"created_at,omitzero"`
	StartedAt  time.Time        `json:"started_at,omitzero"`
	UpdatedAt  time.Time        `json:"updated_at,omitzero"`
}

func newBuildRecord(b renga.Build) buildRecord {
	return buildRecord{
		Number: b.Number, By: b.By, State: b.State, URL: b.Source.URL, Checksum: b.Source.Checksum, Commit: b.Source.Commit,
		Branch: b.Source.Branch, Author: b.Source.Author, Message: b.Source.Message, Builder: b.Builder,
		Buildpacks: slices.Clone(b.Buildpacks), Reason: b.Reason, Replaces: b.Replaces, Digest: b.Digest, Version: b.Version,
		CreatedAt: b.CreatedAt.UTC(), StartedAt: b.StartedAt.UTC(), UpdatedAt: b.UpdatedAt.UTC(),
	}
}

func (r buildRecord) build(app renga.AppID, id string) renga.Build {
	return renga.Build{
		ID: id, App: app, Number: r.Number, By: r.By, State: r.State,
		Source: renga.BuildSource{
			URL: r.URL, Checksum: r.Checksum, Commit: r.Commit, Branch: r.Branch, Author: r.Author, Message: r.Message,
		},
		Builder: r.Builder, Buildpacks: r.Buildpacks, Reason: r.Reason, Replaces: r.Replaces, Digest: r.Digest,
		Version: r.Version, CreatedAt: r.CreatedAt, StartedAt: r.StartedAt, UpdatedAt: r.UpdatedAt,
	}
}

func buildCollection(app renga.AppID) collection { return appCollection(app, keyBuilds(app)) }

// Builds lists an app's builds, oldest first.
func (s *Store) Builds(ctx context.Context, app renga.AppID) ([]renga.Build, error) {
	records, err := readCollection[buildRecord](ctx, s, buildCollection(app))
	if err != nil {
		return nil, err
	}
	return sortedBuilds(app, records), nil
}

func sortedBuilds(app renga.AppID, records map[string]buildRecord) []renga.Build {
	all := make([]renga.Build, 0, len(records))
	for id, r := range records {
		all = append(all, r.build(app, id))
	}
	slices.SortFunc(all, func(a, b renga.Build) int { return cmp.Compare(a.Number, b.Number) })
	return all
}

// AddBuild adds a build, gives it its number, and forgets the oldest that are over. It is
// renga.TooMany if too many of the app are not over.
func (s *Store) AddBuild(ctx context.Context, b renga.Build) (renga.Build, error) {
	// The index first: it may name apps without builds, never miss one.
	if err := s.indexApp(ctx, keyBuilding, b.App); err != nil {
		return b, err
	}
	err := editCollection(ctx, s, buildCollection(b.App), func(all map[string]buildRecord) error {
		before := sortedBuilds(b.App, all)
		over := slices.DeleteFunc(slices.Clone(before), func(o renga.Build) bool { return !o.State.Over() })
		if open := len(before) - len(over); open >= renga.MaxOpenBuilds {
			return renga.Errorf(renga.TooMany, "%d builds of this app wait or are under way; wait until some are over.", open)
		}
		for _, old := range over[:max(0, len(over)+1-renga.MaxBuilds)] {
			delete(all, old.ID)
		}
		b.Number = 1
		if len(before) > 0 {
			b.Number = before[len(before)-1].Number + 1
		}
		all[b.ID] = newBuildRecord(b)
		return nil
	})
	return b, err
}

// EditBuild lets edit change a build; renga.NotFound if the app has none of that id.
func (s *Store) EditBuild(ctx context.Context, app renga.AppID, id string, edit func(*renga.Build) error) (renga.Build, error) {
	var edited renga.Build
	err := editCollection(ctx, s, buildCollection(app), func(all map[string]buildRecord) error {
		r, there := all[id]
		if !there {
			return renga.Errorf(renga.NotFound, "There is no build %s.", id)
		}
		edited = r.build(app, id)
		if err := edit(&edited); err != nil {
			return err
		}
		all[id] = newBuildRecord(edited)
		return nil
	})
	return edited, err
}

// AppsWithBuilds are the apps that have or had builds.
func (s *Store) AppsWithBuilds(ctx context.Context) ([]renga.AppID, error) {
	return s.indexedApps(ctx, keyBuilding)
}

// ForgetBuilds forgets that an app has builds, for the app is gone.
func (s *Store) ForgetBuilds(ctx context.Context, app renga.AppID) error {
	return s.unindexApp(ctx, keyBuilding, app)
}
