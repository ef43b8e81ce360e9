package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"renga"
)

// noticeRecord is what a registry told; see renga.ReceivedNotice.
type noticeRecord struct {
	Rule     string               `json:"rule"`
	Delivery string               `json:"delivery,omitempty"`
	Decision renga.NoticeDecision `json:"decision"`
	Reason   string               `json:"reason,omitempty"`
	Imports  []string             `json:"imports,omitempty"`
	At       time.Time            `json:"at"`
}

func newNoticeRecord(n renga.ReceivedNotice) noticeRecord {
	return noticeRecord{n.Rule, n.Delivery, n.Decision, n.Reason, n.Imports, n.At.UTC()}
}

func (r noticeRecord) notice(id string) renga.ReceivedNotice {
	return renga.ReceivedNotice{
		ID: id, Rule: r.Rule, Delivery: r.Delivery, Decision: r.Decision, Reason: r.Reason, Imports: r.Imports, At: r.At,
	}
}

func notices(app renga.AppID) collection { return appCollection(app, keyNotices(app)) }

// AddNotice remembers a notice, and forgets the oldest of the app.
func (s *Store) AddNotice(ctx context.Context, app renga.AppID, n renga.ReceivedNotice) error {
	return editCollection(ctx, s, notices(app), func(all map[string]noticeRecord) error {
		old := sortedNotices(all)
		for _, n := range old[:max(0, len(old)+1-renga.MaxNotices)] {
			delete(all, n.ID)
		}
		all[n.ID] = newNoticeRecord(n)
		return nil
	})
}

// Notices lists what registries told an app's rules, oldest first.
func (s *Store) Notices(ctx context.Context, app renga.AppID) ([]renga.ReceivedNotice, error) {
	records, err := readCollection[noticeRecord](ctx, s, notices(app))
	return sortedNotices(records), err
}

func sortedNotices(records map[string]noticeRecord) []renga.ReceivedNotice {
	all := make([]renga.ReceivedNotice, 0, len(records))
	for id, r := range records {
		all = append(all, r.notice(id))
	}
	slices.SortFunc(all, func(a, b renga.ReceivedNotice) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return all
}
