package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"renga"
)

// transfersKept is how long an offer is kept once it is no longer pending.
const transfersKept = 7 * 24 * time.Hour

// Transfers lists the offers of apps, oldest first.
func (s *Store) Transfers(ctx context.Context) ([]renga.Transfer, error) {
	records, err := readCollection[transferRecord](ctx, s, collection{key: keyTransfers})
	if err != nil {
		return nil, err
	}
	all := make([]renga.Transfer, 0, len(records))
	for id, r := range records {
		all = append(all, r.transfer(id))
	}
	slices.SortFunc(all, func(a, b renga.Transfer) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// AddTransfer keeps a new offer and gives it back. The same offer again is the
// one that there is; an app that is on offer to somebody else is renga.Conflict.
func (s *Store) AddTransfer(ctx context.Context, t renga.Transfer) (renga.Transfer, error) {
	kept := t
	err := s.editTransfers(ctx, func(all map[string]transferRecord) error {
		for id, r := range all {
			if r.App != t.App || !r.transfer(id).Open() {
				continue
			}
			if r.Owner != t.Owner || r.Recipient != t.Recipient {
				return renga.Errorf(renga.Conflict, "This app is on offer to somebody else already; take that offer back first.")
			}
			kept = r.transfer(id)
			return nil
		}
		all[t.ID], kept = newTransferRecord(t), t
		return nil
	})
	return kept, err
}

// UpdateTransfer lets edit change an offer, stamps it and gives back what was
// written; renga.NotFound when there is none of that id.
func (s *Store) UpdateTransfer(ctx context.Context, id string,
	edit func(*renga.Transfer) error) (renga.Transfer, error) {
	var t renga.Transfer
	err := s.editTransfers(ctx, func(all map[string]transferRecord) error {
		r, there := all[id]
		if !there {
			return noTransfer(id)
		}
		t = r.transfer(id)
		if err := edit(&t); err != nil {
			return err
		}
		t.UpdatedAt = now()
		all[id] = newTransferRecord(t)
		return nil
	})
	return t, err
}

// DeleteTransfer takes a pending offer back; renga.NotFound when there is none
// of that id that is pending.
func (s *Store) DeleteTransfer(ctx context.Context, id string) error {
	return s.editTransfers(ctx, func(all map[string]transferRecord) error {
		if all[id].State != renga.TransferPending {
			return noTransfer(id)
		}
		delete(all, id)
		return nil
	})
}

// editTransfers drops old offers on the way.
func (s *Store) editTransfers(ctx context.Context, edit func(all map[string]transferRecord) error) error {
	return editCollection(ctx, s, collection{key: keyTransfers}, func(all map[string]transferRecord) error {
		maps.DeleteFunc(all, func(_ string, r transferRecord) bool {
			return r.State != renga.TransferPending && time.Since(r.UpdatedAt) > transfersKept
		})
		return edit(all)
	})
}

func noTransfer(id string) error {
	return renga.Errorf(renga.NotFound, "Couldn't find app transfer %s.", id)
}

type transferRecord struct {
	App       renga.AppID         `json:"app"`
	Owner     renga.AccountID     `json:"owner"`
	Recipient renga.AccountID     `json:"recipient"`
	State     renga.TransferState `json:"state"`
	CreatedAt time.Time           `json:"created_at,omitzero"`
	UpdatedAt time.Time           `json:"updated_at,omitzero"`
}

func newTransferRecord(t renga.Transfer) transferRecord {
	return transferRecord{
		App: t.App, Owner: t.Owner, Recipient: t.Recipient, State: t.State,
		CreatedAt: t.CreatedAt.UTC(), UpdatedAt: t.UpdatedAt.UTC(),
	}
}

func (r transferRecord) transfer(id string) renga.Transfer {
	return renga.Transfer{
		ID: id, App: r.App, Owner: r.Owner, Recipient: r.Recipient, State: r.State,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}
