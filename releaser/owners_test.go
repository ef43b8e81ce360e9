package releaser_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"renga"
	"renga/releaser"
)

func (w *fixture) Apps(context.Context) ([]renga.App, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []renga.App
	for _, a := range w.apps {
		all = append(all, a)
	}
	return all, nil
}

// Account knows everybody but those who are gone.
func (w *fixture) Account(_ context.Context, id renga.AccountID) (renga.Account, error) {
	if id == "gone" {
		return renga.Account{}, renga.Errorf(renga.NotFound, "no account %s", id)
	}
	return renga.Account{ID: id, Email: string(id) + "@example.com"}, nil
}

func (w *fixture) KeepOwner(_ context.Context, app renga.App, owner renga.Account) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.commit != nil {
		return w.commit
	}
	w.owners = append(w.owners, app.Name+" of "+owner.Email)
	return nil
}

func TestLedgerIsToldWhoseANewAppIs(t *testing.T) {
	w, rel := newFixture()
	_, err := rel.CreateApp(t.Context(), "hello", "ann")
	if err != nil || !slices.Equal(w.owners, []string{"hello of ann@example.com"}) {
		t.Errorf("told %v, %v", w.owners, err)
	}
	w.commit = errors.New("no disk")
	if _, err := rel.CreateApp(t.Context(), "second", "ann"); err == nil || len(w.apps) != 1 {
		t.Errorf("an app was made that the ledger knows no owner of: %v", err)
	}
}

func TestLedgerIsToldWhatTheStoreSaysOfAnOwner(t *testing.T) {
	w, _ := newFixture()
	owners := releaser.NewOwners(w, w)
	w.apps["1"] = renga.App{ID: "1", Name: "hello", Owner: "bob"}
	w.apps["2"] = renga.App{ID: "2", Name: "orphan", Owner: "gone"}
	w.apps["3"] = renga.App{ID: "3", Name: "going", Owner: "bob", Deleting: true}
	// what is told late is what has become of the app meanwhile
	err := owners.KeepOwner(t.Context(), renga.App{ID: "1", Name: "hello", Owner: "ann"})
	err = errors.Join(err, owners.Resume(t.Context()))
	if err != nil || !slices.Equal(w.owners, []string{"hello of bob@example.com", "hello of bob@example.com"}) {
		t.Errorf("told %v, %v", w.owners, err)
	}
	w.commit = errors.New("no disk")
	if err := owners.Resume(t.Context()); err == nil {
		t.Error("nobody hears that it was not told")
	}
}

// fakeLedger is what Recover reads.
type fakeLedger struct {
	owner  renga.Account
	err    error
	addOns []renga.AddOn
	bad    error
}

// AddOns are the same for all apps.
func (l fakeLedger) AddOns(context.Context, renga.App) ([]renga.AddOn, error) { return l.addOns, l.bad }

func (fakeLedger) Apps(context.Context) ([]string, error) { return []string{"hello"}, nil }

func (fakeLedger) Chain(context.Context, string) ([]renga.Release, error) {
	return []renga.Release{{App: "1", AppName: "hello", Version: 1, By: "maker"}}, nil
}

func (l fakeLedger) Owner(context.Context, renga.App) (renga.Account, error) { return l.owner, l.err }

// fakeRestorer is what Recover writes.
type fakeRestorer struct {
	app      renga.App
	accounts []renga.Account
	addOns   []string
	err      error
}

func (r *fakeRestorer) Restore(_ context.Context, a renga.App, _ []renga.ReleaseRecord) error {
	r.app = a
	return nil
}

func (r *fakeRestorer) RestoreAlias(context.Context, renga.AppID, string) error { return nil }

func (r *fakeRestorer) RestoreAccount(_ context.Context, a renga.Account) error {
	r.accounts = append(r.accounts, a)
	return r.err
}

// RestoreAddOn takes what is not called otherwise.
func (r *fakeRestorer) RestoreAddOn(_ context.Context, a renga.AddOn, newest map[renga.AppID]renga.Release) error {
	switch {
	case a.Name == "gone":
		return renga.Errorf(renga.NotFound, "it is gone")
	case a.Name == "taken" || newest["1"].Version != 1:
		return renga.Errorf(renga.Conflict, "its name is taken")
	}
	r.addOns = append(r.addOns, a.Name)
	return nil
}

// TestRecoveryBringsAddOnsBack, and says which it could not.
func TestRecoveryBringsAddOnsBack(t *testing.T) {
	to := &fakeRestorer{}
	from := fakeLedger{
		owner: renga.Account{ID: "bob", Email: "bob@example.com"}, bad: errors.New("note of add-on 4: altered"),
		addOns: []renga.AddOn{{Name: "database"}, {Name: "gone"}, {Name: "taken"}, {Name: "cache"}},
	}
	all, err := releaser.Recover(t.Context(), from, to)
	if err != nil || len(all) != 1 || all[0].AddOns != 2 || !slices.Equal(to.addOns, []string{"database", "cache"}) {
		t.Fatalf("%+v, %v; restored are %q", all, err, to.addOns)
	}
	said := all[0].Err.Error()
	if !strings.Contains(said, "altered") || !strings.Contains(said, "add-on taken: its name is taken") || strings.Contains(said, "gone") {
		t.Errorf("it says %q", said)
	}
}

type fakeFlaw struct{ error }

func (fakeFlaw) BadVersion() int { return 0 }

func TestRecoveryGivesAppsBackToWhoHadThemLast(t *testing.T) {
	bob := renga.Account{ID: "bob", Email: "bob@example.com"}
	taken := renga.Errorf(renga.Conflict, "Email bob@example.com is taken by another account.")
	for name, c := range map[string]struct {
		ledger  fakeLedger
		refusal error // of the account
		owner   renga.AccountID
		told    bool
		lost    bool // the app is not recovered now
	}{
		"written down":                {ledger: fakeLedger{owner: bob}, owner: "bob"},
		"never written down":          {ledger: fakeLedger{err: renga.Errorf(renga.NotFound, "unknown")}, owner: "maker"},
		"altered":                     {ledger: fakeLedger{err: fakeFlaw{errors.New("altered")}}, owner: "", told: true},
		"the disk does not answer":    {ledger: fakeLedger{err: errors.New("I/O error")}, told: true, lost: true},
		"somebody else has the email": {ledger: fakeLedger{owner: bob}, refusal: taken, owner: "", told: true},
		"Redis does not take the owner": {
			ledger: fakeLedger{owner: bob}, refusal: errors.New("away"), told: true, lost: true,
		},
	} {
		to := &fakeRestorer{err: c.refusal}
		all, err := releaser.Recover(t.Context(), c.ledger, to)
		if err != nil || len(all) != 1 || (all[0].Err != nil) != c.told {
			t.Errorf("%s: %+v, %v", name, all, err)
			continue
		}
		if (to.app.ID == "") != c.lost || to.app.Owner != c.owner || all[0].Owner.ID != c.owner {
			t.Errorf("%s: app %+v, owner %+v", name, to.app, all[0].Owner)
		}
	}
}
