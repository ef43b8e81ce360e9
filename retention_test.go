package renga_test

import (
	"slices"
	"testing"
	"time"

	"renga"
)

func TestRetentionKeepsTheNewestTheYoungAndWhatRuns(t *testing.T) {
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	var all []renga.ReleaseRecord
	for version := 1; version <= 8; version++ {
		age := time.Duration(9-version) * 24 * time.Hour
		all = append(all, renga.ReleaseRecord{
			Version: version, CreatedAt: now.Add(-age), Outcome: renga.Outcome{Status: renga.Succeeded},
		})
	}
	all[1].Live, all[7].Current, all[3].Outcome.Status = true, true, renga.Pending
	runs := func(version int) bool { return version == 3 }
	kept := func(r renga.Retention) (versions []int) {
		for i, keeps := range r.Keeps(all, runs, now) {
			if keeps {
				versions = append(versions, i+1)
			}
		}
		return versions
	}
	if got := kept(renga.Retention{Releases: 2}); !slices.Equal(got, []int{2, 3, 4, 7, 8}) {
		t.Errorf("two: %d", got)
	}
	if got := kept(renga.Retention{Releases: 2, For: 73 * time.Hour}); !slices.Equal(got, []int{2, 3, 4, 6, 7, 8}) {
		t.Errorf("two, and of three days: %d", got)
	}
	if got := kept(renga.Retention{}); len(got) != 8 {
		t.Errorf("by default: %d", got)
	}
}
