package backups

import (
	"context"
	"slices"
	"time"

	"renga"
)

// Retention is how many backups of an add-on are kept.
type Retention struct {
	Days, Weeks int // of those by a schedule: the newest of each of the last days and weeks that have one
	Asked       int // of those that somebody asked for
}

const (
	// maxOthers is how many restores, and backups that did not complete, are told of
	// for each add-on.
	maxOthers = 10
	// keepGone is how long backups outlive their add-on.
	keepGone = 7 * 24 * time.Hour
)

// clean removes what is kept no longer, and notes which add-ons are gone.
func (s *Service) clean(ctx context.Context) error {
	all, err := s.Store.Backups(ctx)
	if err != nil {
		return err
	}
	of := map[renga.AddOnID][]renga.Backup{}
	for _, b := range all {
		if b.Removing { // it was begun, and could not be ended then
			if err := s.remove(ctx, b); err != nil {
				return err
			}
			continue
		}
		of[b.AddOn] = append(of[b.AddOn], b)
	}
	for id, some := range of {
		surplus := s.Keep.surplus(some)
		_, err := s.AddOns.AddOn(ctx, id)
		switch {
		case renga.KindOf(err) == renga.NotFound:
			surplus, err = s.surplusOfGone(ctx, some)
		case err == nil:
			err = s.isBack(ctx, some)
		}
		if err != nil {
			return err
		}
		for _, b := range surplus {
			if err := s.Delete(ctx, b); err != nil && renga.KindOf(err) != renga.Invalid && renga.KindOf(err) != renga.NotFound {
				return err
			}
		}
	}
	return nil
}

// surplusOfGone are the backups of an add-on that was gone for long enough. The first
// look at them notes since when.
func (s *Service) surplusOfGone(ctx context.Context, all []renga.Backup) ([]renga.Backup, error) {
	var surplus []renga.Backup
	for _, b := range all {
		if !b.GoneAt.IsZero() {
			if s.Now().Sub(b.GoneAt) > keepGone {
				surplus = append(surplus, b)
			}
			continue
		}
		if err := s.noteGone(ctx, b, s.Now().UTC()); err != nil {
			return nil, err
		}
	}
	return surplus, nil
}

// isBack forgets that an add-on was gone: its record was recovered.
func (s *Service) isBack(ctx context.Context, all []renga.Backup) error {
	for _, b := range all {
		if b.GoneAt.IsZero() {
			continue
		}
		if err := s.noteGone(ctx, b, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) noteGone(ctx context.Context, b renga.Backup, at time.Time) error {
	err := s.Store.EditBackup(ctx, b.App, b.ID, func(x *renga.Backup) error {
		x.GoneAt = at
		return nil
	})
	if renga.KindOf(err) == renga.NotFound {
		return nil
	}
	return err
}

// surplus are those of an add-on's that are kept no longer. The newest that completed
// is never one of them.
func (k Retention) surplus(all []renga.Backup) []renga.Backup {
	all = slices.DeleteFunc(slices.Clone(all), func(b renga.Backup) bool { return !b.Over() })
	slices.SortFunc(all, func(a, b renga.Backup) int { return b.Number - a.Number }) // the newest first
	var scheduled, asked, others []renga.Backup
	for _, b := range all {
		switch {
		case !b.Restorable():
			others = append(others, b)
		case b.Schedule != "":
			scheduled = append(scheduled, b)
		default:
			asked = append(asked, b)
		}
	}
	kept := map[renga.BackupID]bool{}
	keep := func(all []renga.Backup, n int) {
		for _, b := range all[:min(max(n, 0), len(all))] {
			kept[b.ID] = true
		}
	}
	keep(others, maxOthers)
	keep(asked, k.Asked)
	keep(newestOf(scheduled, func(b renga.Backup) any { y, m, d := b.CreatedAt.UTC().Date(); return [3]int{y, int(m), d} }), k.Days)
	keep(newestOf(scheduled, func(b renga.Backup) any { y, w := b.CreatedAt.UTC().ISOWeek(); return [2]int{y, w} }), k.Weeks)
	if i := slices.IndexFunc(all, renga.Backup.Restorable); i >= 0 {
		kept[all[i].ID] = true
	}
	return slices.DeleteFunc(all, func(b renga.Backup) bool { return kept[b.ID] })
}

// newestOf gives the newest of each period, the newest period first.
func newestOf(all []renga.Backup, period func(renga.Backup) any) []renga.Backup {
	var newest []renga.Backup
	seen := map[any]bool{}
	for _, b := range all {
		if p := period(b); !seen[p] {
			seen[p] = true
			newest = append(newest, b)
		}
	}
	return newest
}
