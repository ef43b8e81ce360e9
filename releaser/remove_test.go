package releaser_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"renga"
	"renga/releaser"
)

// removeFixture is a fixture whose apps can be removed, and what was removed of them.
type removeFixture struct {
	*fixture
	repositories []string
	addOns       []renga.AppID // apps whose add-ons were removed
	removing     chan struct{} // closed when the first repositories go
}

func (d *removeFixture) Apps(context.Context) ([]renga.App, error) {
	var all []renga.App
	for _, a := range d.apps {
		all = append(all, a)
	}
	return all, nil
}

func (d *removeFixture) UpdateApp(_ context.Context, id renga.AppID, edit func(*renga.App) error) (renga.App, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.apps[id]
	err := edit(&a)
	d.apps[id] = a
	return a, err
}

func (d *removeFixture) RemoveApp(_ context.Context, id renga.AppID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.apps, id)
	return nil
}

// fakeRegistry is the registry's part of a removeFixture.
type fakeRegistry struct{ *removeFixture }

func (s fakeRegistry) RemoveApp(_ context.Context, name string) error {
	s.repositories = append(s.repositories, name)
	close(s.removing)
	return nil
}

// fakeAddOns are the add-ons of a removeFixture's apps.
type fakeAddOns struct{ *removeFixture }

func (s fakeAddOns) RemoveOf(_ context.Context, app renga.AppID) error {
	if len(s.repositories) > 0 {
		return errors.New("the releases with the add-ons' credentials are gone")
	}
	s.removeFixture.addOns = append(s.removeFixture.addOns, app)
	return nil
}

func TestNothingIsWrittenIntoWhatIsBeingRemoved(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	d := &removeFixture{fixture: w, removing: make(chan struct{})}
	remover := releaser.NewRemover(d, fakeRegistry{d}, fakeAddOns{d}, r)
	deleted := make(chan error, 1)
	w.putting = func() { // in the middle of a change the app is deleted
		go func() { deleted <- remover.DeleteApp(context.Background(), id) }()
		select {
		case <-d.removing:
			t.Error("the repositories went while a release was being written into them")
		case <-time.After(100 * time.Millisecond): // that they do not go takes no time
		}
	}
	if _, err := r.Change(t.Context(), id, setVar("A", "1")); err != nil {
		t.Error(err)
	}
	if err := <-deleted; err != nil || len(d.repositories) != 1 || len(d.apps) != 0 || len(d.addOns) != 1 {
		t.Errorf("err %v, removed %v and add-ons of %v, %d apps left", err, d.repositories, d.addOns, len(d.apps))
	}
}

func TestADeletionThatWasCutShortIsFinished(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	w.mustPush(t, r, push("p2", "other", "sha256:aa"))
	d := &removeFixture{fixture: w, removing: make(chan struct{})}
	a := w.apps[id]
	a.Deleting = true
	w.apps[id] = a
	if err := releaser.NewRemover(d, fakeRegistry{d}, fakeAddOns{d}, r).Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(d.repositories) != 1 || d.repositories[0] != "hello" || len(d.apps) != 1 {
		t.Errorf("removed %v, %d apps left", d.repositories, len(d.apps))
	}
}

// fakeBelongings are what somebody else keeps of an app.
type fakeBelongings struct {
	*removeFixture
	removed []renga.AppID
}

func (b *fakeBelongings) RemoveOf(ctx context.Context, app renga.AppID) error {
	if _, err := b.App(ctx, app); err != nil {
		return err // the next start would not know of them any more
	}
	b.removed = append(b.removed, app)
	return nil
}

func TestWhatOthersKeepGoesBeforeTheRecord(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	d := &removeFixture{fixture: w, removing: make(chan struct{})}
	kept := &fakeBelongings{removeFixture: d}
	if err := releaser.NewRemover(d, fakeRegistry{d}, fakeAddOns{d}, r, kept).DeleteApp(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if len(kept.removed) != 1 || kept.removed[0] != id {
		t.Errorf("removed %v, want %s", kept.removed, id)
	}
}
