package store_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"renga"
)

// TestTheIndexOfBackupsForgetsAppsThatAreGone: their backups outlive them for days, and
// numbers are given once as long as the app lives.
func TestTheIndexOfBackupsForgetsAppsThatAreGone(t *testing.T) {
	s, p := newStore(t)
	raw := p.raw(t)
	indexed := func() []string {
		t.Helper()
		ids, err := raw.HKeys(t.Context(), "renga:{platform}:backups").Result()
		check(t, err)
		slices.Sort(ids)
		return ids
	}
	backUp := func(app renga.AppID) renga.Backup {
		t.Helper()
		b, err := s.CreateBackup(t.Context(), renga.Backup{
			ID: renga.BackupID(uuid.NewString()), App: app, AddOn: renga.AddOnID(uuid.NewString()), State: renga.BackupPending,
		})
		check(t, err)
		return b
	}
	lives, outlived, without := createApp(t, s, "lives"), createApp(t, s, "outlived"), createApp(t, s, "without")
	check(t, s.RemoveBackup(t.Context(), lives.ID, backUp(lives.ID).ID))
	check(t, s.RemoveBackup(t.Context(), without.ID, backUp(without.ID).ID))
	last := backUp(outlived.ID)
	for _, app := range []renga.App{outlived, without} {
		check(t, s.RemoveApp(t.Context(), app.ID))
	}
	want := []string{string(lives.ID), string(outlived.ID)}
	slices.Sort(want)
	if got := indexed(); !slices.Equal(got, want) {
		t.Errorf("with a backup left the index has %v, want %v", got, want)
	}
	all, err := s.Backups(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != last.ID {
		t.Errorf("the backups are %v, %v", all, err)
	}
	check(t, s.RemoveBackup(t.Context(), outlived.ID, last.ID))
	if got := indexed(); !slices.Equal(got, []string{string(lives.ID)}) {
		t.Errorf("without one the index has %v, want %v", got, lives.ID)
	}
	if b := backUp(lives.ID); b.Number != 2 {
		t.Errorf("the next backup has the number %d, want 2", b.Number)
	}
}
