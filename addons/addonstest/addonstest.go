// Package addonstest is, in tests of add-ons, what the room of add-ons needs of
// others: apps with their releases, and their logs.
package addonstest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"renga"
	"renga/store"
	"renga/store/storetest"
)

// Logs keep what is said of add-ons in the apps' logs.
type Logs struct {
	mu    sync.Mutex
	lines []string
}

// Line adds a line.
func (l *Logs) Line(_ renga.AppID, source, dyno, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, source+"["+dyno+"]: "+text)
}

// All are the lines as people read them.
func (l *Logs) All() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// Notes are the notes of add-ons beside the releases.
type Notes struct {
	// Fault is asked before each change, if it is there; its error is the answer.
	Fault func() error
	mu    sync.Mutex
	all   map[renga.AddOnID]renga.AddOn
}

// KeepAddOn keeps one.
func (n *Notes) KeepAddOn(_ context.Context, _ renga.App, a renga.AddOn) error {
	return n.change(func() { n.all[a.ID] = a })
}

// ForgetAddOn removes one.
func (n *Notes) ForgetAddOn(_ context.Context, _ renga.App, id renga.AddOnID) error {
	return n.change(func() { delete(n.all, id) })
}

func (n *Notes) change(change func()) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.Fault != nil {
		if err := n.Fault(); err != nil {
			return err
		}
	}
	if n.all == nil {
		n.all = map[renga.AddOnID]renga.AddOn{}
	}
	change()
	return nil
}

// Of is the note of an add-on, if there is one.
func (n *Notes) Of(id renga.AddOnID) (renga.AddOn, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a, there := n.all[id]
	return a, there
}

// Run runs a room until stop is called, which waits for its end.
func Run(room interface{ Run(context.Context) error }) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = room.Run(ctx) // it has no error
	}()
	return sync.OnceFunc(func() { cancel(); <-ended })
}

// Until waits until something is so of an add-on.
func Until(t testing.TB, db *store.Store, id renga.AddOnID, what string, ok func(renga.AddOn) bool) renga.AddOn {
	t.Helper()
	var a renga.AddOn
	storetest.Poll(t, string(id)+" to "+what, func() bool {
		var err error
		a, err = db.AddOn(t.Context(), id)
		return err == nil && ok(a)
	})
	return a
}

// Reaches waits until an add-on is in a state.
func Reaches(t testing.TB, db *store.Store, id renga.AddOnID, state renga.AddOnState) renga.AddOn {
	t.Helper()
	return Until(t, db, id, "be "+string(state), func(a renga.AddOn) bool { return a.State == state })
}

// Gone waits until an add-on is in the store no more.
func Gone(t testing.TB, db *store.Store, id renga.AddOnID) {
	t.Helper()
	storetest.Poll(t, string(id)+" to be gone", func() bool {
		_, err := db.AddOn(t.Context(), id)
		return renga.KindOf(err) == renga.NotFound
	})
}

// addApp makes an app as it is at first.
func addApp(t testing.TB, db *store.Store, id renga.AppID, name string, owner renga.AccountID) {
	t.Helper()
	app := renga.App{ID: id, Name: name, Owner: owner, CreatedAt: time.Now()}
	v1 := renga.ReleaseRecord{App: id, Version: 1, By: owner, CreatedAt: app.CreatedAt}
	if err := db.CreateApp(t.Context(), app, v1); err != nil {
		t.Fatal(err)
	}
}
