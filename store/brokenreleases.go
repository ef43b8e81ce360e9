package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"renga"
)

type brokenReleaseRecord struct {
	App     renga.AppID `json:"app"`
	Version int         `json:"version"`
	Reason  string      `json:"reason"`
	FoundAt time.Time   `json:"found_at"`
}

// brokenReleases has one record per app at the most, by the app's id.
var brokenReleases = collection{key: keyBroken}

// AddBrokenRelease notes that a release does not hold. What was noted of it, or of
// a later release of the app, stays.
func (s *Store) AddBrokenRelease(ctx context.Context, b renga.BrokenRelease) error {
	return editCollection(ctx, s, brokenReleases, func(all map[string]brokenReleaseRecord) error {
		if all[string(b.App)].Version < b.Version {
			all[string(b.App)] = newBrokenReleaseRecord(b)
		}
		return nil
	})
}

// BrokenReleases reads which releases do not hold, the one first that was found
// first.
func (s *Store) BrokenReleases(ctx context.Context) ([]renga.BrokenRelease, error) {
	all, err := readCollection[brokenReleaseRecord](ctx, s, brokenReleases)
	if err != nil {
		return nil, err
	}
	var broken []renga.BrokenRelease
	for _, r := range all {
		broken = append(broken, renga.BrokenRelease(r))
	}
	slices.SortFunc(broken, func(a, b renga.BrokenRelease) int {
		return cmp.Or(a.FoundAt.Compare(b.FoundAt), cmp.Compare(a.App, b.App))
	})
	return broken, nil
}

// RemoveBrokenRelease forgets a release that is dealt with. A later one of the app
// stays noted.
func (s *Store) RemoveBrokenRelease(ctx context.Context, b renga.BrokenRelease) error {
	return editCollection(ctx, s, brokenReleases, func(all map[string]brokenReleaseRecord) error {
		if all[string(b.App)].Version == b.Version {
			delete(all, string(b.App))
		}
		return nil
	})
}

func newBrokenReleaseRecord(b renga.BrokenRelease) brokenReleaseRecord {
	b.FoundAt = b.FoundAt.UTC()
	return brokenReleaseRecord(b)
}
