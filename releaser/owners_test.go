package releaser_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"renga"
	"renga/releaser"
)

func (w *world) Apps(context.Context) ([]renga.App, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []renga.App
	for _, a := range w.apps {
		all = append(all, a)
	}
	return all, nil
}

// Account knows everybody but those who are gone.
func (w *world) Account(_ context.Context, id renga.AccountID) (renga.Account, error) {
	if id == "gone" {
		return renga.Account{}, renga.Errorf(renga.NotFound, "no account %s", id)
	}
	return renga.Account{ID: id, Email: string(id) + "@example.com"}, nil
}

func (w *world) KeepOwner(_ context.Context, app renga.App, owner renga.Account) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.commit != nil {
		return w.commit
	}
	w.owners = append(w.owners, app.Name+" of "+owner.Email)
	return nil
}

func TestLedgerIsToldWhoseANewAppIs(t *testing.T) {
	w, rel := newWorld()
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
	w, _ := newWorld()
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

// ledger is what Recover reads.
type ledger struct {
	owner renga.Account
	err   error
}

func (ledger) Apps(context.Context) ([]string, error) { return []string{"hello"}, nil }

func (ledger) Chain(context.Context, string) ([]renga.Release, error) {
	return []renga.Release{{App: "1", AppName: "hello", Version: 1, By: "maker"}}, nil
}

func (l ledger) Owner(context.Context, renga.App) (renga.Account, error) { return l.owner, l.err }

// restored is what Recover writes.
type restored struct {
	app      renga.App
	accounts []renga.Account
	err      error
}

func (r *restored) Restore(_ context.Context, a renga.App, _ []renga.ReleaseRecord) error {
	r.app = a
	return nil
}

func (r *restored) RestoreAlias(context.Context, renga.AppID, string) error { return nil }

func (r *restored) RestoreAccount(_ context.Context, a renga.Account) error {
	r.accounts = append(r.accounts, a)
	return r.err
}

type flaw struct{ error }

func (flaw) Verse() int { return 0 }

func TestRecoveryGivesAppsBackToWhoHadThemLast(t *testing.T) {
	bob := renga.Account{ID: "bob", Email: "bob@example.com"}
	taken := renga.Errorf(renga.Conflict, "Email bob@example.com is taken by another account.")
	for name, c := range map[string]struct {
		ledger  ledger
		refusal error // of the account
		owner   renga.AccountID
		told    bool
		lost    bool // the app is not recovered now
	}{
		"written down":                  {ledger: ledger{owner: bob}, owner: "bob"},
		"never written down":            {ledger: ledger{err: renga.Errorf(renga.NotFound, "unknown")}, owner: "maker"},
		"altered":                       {ledger: ledger{err: flaw{errors.New("altered")}}, owner: "", told: true},
		"the disk does not answer":      {ledger: ledger{err: errors.New("I/O error")}, told: true, lost: true},
		"somebody else has the email":   {ledger: ledger{owner: bob}, refusal: taken, owner: "", told: true},
		"Redis does not take the owner": {ledger: ledger{owner: bob}, refusal: errors.New("away"), told: true, lost: true},
	} {
		to := &restored{err: c.refusal}
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
