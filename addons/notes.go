package addons

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"renga"
)

// Notes keep what is known of add-ons outside the store, for when that has lost its
// data.
type Notes interface {
	KeepAddOn(ctx context.Context, app renga.App, a renga.AddOn) error
	// ForgetAddOn is no error when there is no note.
	ForgetAddOn(ctx context.Context, app renga.App, id renga.AddOnID) error
}

// noted is a Writer whose changes are noted. The store is the truth: what could not
// be noted is noted by the next look, and every start looks at all.
type noted struct {
	Writer
	s *Service

	mu   sync.Mutex // held while a note is written: the last one must be the newest
	kept map[renga.AddOnID][sha256.Size]byte
}

// CreateAddOn is the Writer's.
func (n *noted) CreateAddOn(ctx context.Context, a renga.AddOn) error {
	err := n.Writer.CreateAddOn(ctx, a)
	if err == nil {
		n.later(n.keep(ctx, a.ID), a.ID)
	}
	return err
}

// EditAddOns is the Writer's.
func (n *noted) EditAddOns(ctx context.Context, ids []renga.AddOnID,
	edit func(map[renga.AddOnID]*renga.AddOn) error) error {
	err := n.Writer.EditAddOns(ctx, ids, edit)
	if err != nil {
		return err
	}
	for _, id := range ids {
		n.later(n.keep(ctx, id), id)
	}
	return nil
}

// RemoveAddOn is the Writer's. The note goes first: what is in no record comes back
// from none.
func (n *noted) RemoveAddOn(ctx context.Context, id renga.AddOnID) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	a, err := n.s.Store.AddOn(ctx, id)
	if err == nil {
		err = n.forget(ctx, a)
	}
	if err != nil && renga.KindOf(err) != renga.NotFound {
		return err
	}
	return n.Writer.RemoveAddOn(ctx, id)
}

// later has a look note what could not be noted now.
func (n *noted) later(err error, id renga.AddOnID) {
	if err != nil {
		n.s.Log.Warn("an add-on is not noted beside the releases", "addon", id, "err", err)
		n.s.queue.add(id, minPause)
	}
}

// keep notes an add-on as the store has it, unless it is noted so.
func (n *noted) keep(ctx context.Context, id renga.AddOnID) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	a, err := n.s.Store.AddOn(ctx, id)
	if renga.KindOf(err) == renga.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if a.State == renga.Deprovisioned { // there is nothing of it
		return n.forget(ctx, a)
	}
	sum, err := digest(a)
	if err != nil || n.kept[id] == sum {
		return err
	}
	app, err := n.s.Apps.App(ctx, a.App)
	if err != nil || app.Deleting { // the notes go with the app
		return ifThere(err)
	}
	if err := n.s.Notes.KeepAddOn(ctx, app, noteOf(a)); err != nil {
		return err
	}
	n.kept[id] = sum
	return nil
}

func (n *noted) forget(ctx context.Context, a renga.AddOn) error {
	delete(n.kept, a.ID)
	app, err := n.s.Apps.App(ctx, a.App)
	if err != nil {
		return ifThere(err)
	}
	return n.s.Notes.ForgetAddOn(ctx, app, a.ID)
}

// noteOf is an add-on without what is known anew soon.
func noteOf(a renga.AddOn) renga.AddOn {
	a = a.Clone()
	a.Step, a.UpdatedAt = "", time.Time{}
	return a
}

// digest tells notes apart, their secrets too, which are written as one word.
func digest(a renga.AddOn) (sum [sha256.Size]byte, err error) {
	text, err := json.Marshal(noteOf(a))
	text = append(text, a.Admin...)
	for _, c := range a.Credentials {
		text = fmt.Appendf(text, "\n%s", string(c.Password))
	}
	for _, name := range slices.Sorted(maps.Keys(a.Partner.Config)) {
		text = fmt.Appendf(text, "\n%s=%s", name, string(a.Partner.Config[name]))
	}
	return sha256.Sum256(text), err
}
