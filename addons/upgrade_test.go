package addons_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"renga"
	"renga/addons/addonstest"
	"renga/store/storetest"
)

// upgradable is a database of version 15 with data, that an app writes to until stop is
// called, which gives what it has written.
func (f *fixture) upgradable() (a renga.AddOn, stop func() []string) {
	f.Helper()
	a = f.create(renga.AddOnRequest{Plan: "heroku-postgresql:standard-9", Options: map[string]string{"version": "15"}})
	f.twice.set(func(p *twice) {
		for _, s := range p.spots {
			s.settings = "search_path=mine"
		}
	})
	var wrote []string
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			select {
			case <-end:
				return
			default:
			}
			if line := fmt.Sprintf("line-%d", n); f.twice.write(line) {
				wrote = append(wrote, line)
			}
			runtime.Gosched()
		}
	}()
	stop = sync.OnceValue(func() []string { close(end); <-ended; return wrote })
	f.Cleanup(func() { stop() })
	return a, stop
}

// is waits until an upgrade has come to a state, and fails at once when it ends in another.
func (f *fixture) is(id renga.AddOnID, state renga.UpgradeState) renga.AddOn {
	f.Helper()
	ends := []renga.UpgradeState{renga.UpgradeFailed, renga.UpgradeTried, renga.UpgradeKept}
	return addonstest.Until(f.T, f.db, id, "be "+string(state), func(a renga.AddOn) bool {
		if is := a.Upgrade.State; is != state && slices.Contains(ends, is) && slices.Contains(ends, state) {
			f.Fatalf("the upgrade is %s: %s", is, a.Upgrade.Reason)
		}
		return a.Upgrade.State == state
	})
}

// serves checks that just one place is open, which has that version and all that was
// written, and how many places there are.
func (f *fixture) serves(version string, wrote []string, places int) {
	f.Helper()
	open, all := f.twice.open()
	if len(open) != 1 || all != places || open[0].version != version {
		f.Fatalf("open are %+v of %d places; want one of version %s, of %d", open, all, version, places)
	}
	if !slices.Equal(open[0].lines, wrote) || open[0].settings != "search_path=mine" {
		f.Errorf("it has %d lines and %q; written were %d", len(open[0].lines), open[0].settings, len(wrote))
	}
}

// An app that writes all the while loses nothing of what it was told is written.
func TestAnUpgrade(t *testing.T) {
	f := newFixture(t)
	a, stop := f.upgradable()
	before := len(f.apps.Descriptions(blog))
	u, err := f.Upgrade(t.Context(), a.ID, renga.UpgradeCopying, "", ada)
	f.must(err)
	if u.Other.Version != "17" {
		t.Errorf("it goes to %s", u.Other.Version)
	}
	a = f.is(a.ID, renga.UpgradeKept)
	f.serves("17", stop(), 2)
	if a.Options["version"] != "17" || a.Upgrade.Other != (renga.Place{Version: "15"}) || a.Home == "" || a.State != renga.Provisioned {
		t.Errorf("it is %+v", a)
	}
	if !strings.HasPrefix(a.Upgrade.Reason, "Compared were ") {
		t.Errorf("found is %q", a.Upgrade.Reason)
	}
	if made := f.apps.Descriptions(blog)[before:]; len(made) != 0 {
		t.Errorf("it is where it was, and there are releases %q", made)
	}
	f.logged(a.Name + " has version 17 now. Its data of version 15 are kept until ")
	if _, err := f.Upgrade(t.Context(), a.ID, renga.UpgradeCopying, "", ada); renga.KindOf(err) != renga.Invalid ||
		!strings.Contains(err.Error(), "are kept until") {
		t.Errorf("another one: %v", err)
	}
	f.stop()
	f.later = 8 * 24 * 3600e9
	f.start()
	f.is(a.ID, "")
	if open, all := f.twice.open(); all != 1 || open[0].version != "17" {
		t.Errorf("a week later there are %d places, open are %+v", all, open)
	}
}

func (f *fixture) logged(text string) {
	f.Helper()
	storetest.Poll(f.T, "the line "+text, func() bool { return strings.Contains(strings.Join(f.logs.All(), "\n"), text) })
}

// TestAnUpgradeThatIsKilledAnywhere goes on at the next start: apps never write to two
// places, and what they wrote is there.
func TestAnUpgradeThatIsKilledAnywhere(t *testing.T) {
	for n := 1; ; n++ {
		cut := true
		t.Run(fmt.Sprint("at call ", n), func(t *testing.T) {
			f := newFixture(t)
			a, stop := f.upgradable()
			gone := f.calls.cutAfter(n)
			_, err := f.Upgrade(t.Context(), a.ID, renga.UpgradeCopying, "17", ada)
			f.must(err)
			addonstest.Until(t, f.db, a.ID, "be killed or done", func(a renga.AddOn) bool {
				return f.calls.isCut() || a.Upgrade.State == renga.UpgradeKept
			})
			if f.calls.isCut() {
				<-gone
			}
			f.stop()
			cut = f.calls.mend()
			f.start()
			f.is(a.ID, renga.UpgradeKept)
			f.serves("17", stop(), 2)
			f.must(f.Destroy(t.Context(), a.ID, true, ada))
			addonstest.Gone(t, f.db, a.ID)
			if _, all := f.twice.open(); all != 0 {
				t.Errorf("%d places are left", all)
			}
		})
		if !cut || t.Failed() {
			if n < 12 {
				t.Errorf("an upgrade has %d calls only", n)
			}
			return
		}
	}
}

// Whatever goes wrong, the old place serves with all that was written, and nothing else is left.
func TestAnUpgradeThatFails(t *testing.T) {
	why := renga.Errorf(renga.Unavailable, "It went wrong.")
	failing := func(name string) func(*twice) { return func(p *twice) { p.fault[name] = why } }
	for what, c := range map[string]struct {
		breaks func(*twice)
		want   string
	}{
		"the new one does not start": {failing("ensure 17"), "It went wrong."},
		"freezing":                   {failing("freeze"), "It went wrong."},
		"counting":                   {failing("sums"), "It went wrong."},
		"the dump":                   {failing("dump"), "It went wrong."},
		"the restore":                {failing("restore"), "It went wrong."},
		"the settings":               {failing("carry"), "It went wrong."},
		"the finish":                 {failing("finish"), "It went wrong."},
		"a row is lost":              {func(p *twice) { p.lose = true }, "The data are not the same in version 17"},
		"somebody writes":            {func(p *twice) { p.meddle = true }, "Somebody wrote meanwhile"},
	} {
		t.Run(what, func(t *testing.T) {
			f := newFixture(t)
			a, stop := f.upgradable()
			addonstest.Until(t, f.db, a.ID, "have data", func(renga.AddOn) bool {
				open, _ := f.twice.open()
				return len(open) == 1 && len(open[0].lines) > 2
			})
			f.twice.set(c.breaks)
			_, err := f.Upgrade(t.Context(), a.ID, renga.UpgradeCopying, "17", ada)
			f.must(err)
			a = f.is(a.ID, renga.UpgradeFailed)
			if !strings.Contains(a.Upgrade.Reason, c.want) {
				t.Errorf("it failed for %q", a.Upgrade.Reason)
			}
			wrote := stop()
			open, all := f.twice.open()
			if len(open) != 1 || open[0].version != "15" || all != 1 || a.Options["version"] != "15" || a.Home != "" {
				t.Fatalf("open are %+v of %d places, and the record is of %s", open, all, a.Options["version"])
			}
			has := slices.DeleteFunc(open[0].lines, func(line string) bool { return line == "meddled" })
			if !slices.Equal(has, wrote) {
				t.Errorf("it has %d lines, and written were %d", len(has), len(wrote))
			}
			f.logged("could not be upgraded to 17, and is as it was before: ")
		})
	}
}

// The way back leads to the data of then, and what was written since is not lost either.
func TestAnUpgradeIsUndone(t *testing.T) {
	f := newFixture(t)
	a, stop := f.upgradable()
	if err := f.UndoUpgrade(t.Context(), a.ID, ada); renga.KindOf(err) != renga.Invalid {
		t.Errorf("without an upgrade: %v", err)
	}
	wrote := stop()
	_, err := f.Upgrade(t.Context(), a.ID, renga.UpgradeCopying, "17", ada)
	f.must(err)
	f.is(a.ID, renga.UpgradeKept)
	if !f.twice.write("since") {
		t.Fatal("nobody is let in")
	}
	f.twice.set(func(p *twice) { // it may be why somebody goes back
		for _, s := range p.spots {
			s.running = false
		}
	})
	f.must(f.UndoUpgrade(t.Context(), a.ID, ada))
	f.leads(a.ID, "15")
	f.serves("15", wrote, 2)
	f.must(f.UndoUpgrade(t.Context(), a.ID, ada))
	f.leads(a.ID, "17")
	f.serves("17", append(wrote, "since"), 2)
	f.must(f.DropUpgrade(t.Context(), a.ID, ada))
	f.is(a.ID, "")
	f.serves("17", append(wrote, "since"), 1)
	if err := f.DropUpgrade(t.Context(), a.ID, ada); renga.KindOf(err) != renga.Invalid {
		t.Errorf("again: %v", err)
	}
}

// leads waits until an add-on serves in a version, and the other one is kept.
func (f *fixture) leads(id renga.AddOnID, version string) {
	f.Helper()
	addonstest.Until(f.T, f.db, id, "lead to "+version, func(a renga.AddOn) bool {
		return a.Upgrade.State == renga.UpgradeKept && a.Options["version"] == version
	})
}

func TestATrialChangesNothing(t *testing.T) {
	f := newFixture(t)
	a, stop := f.upgradable()
	_, err := f.Upgrade(t.Context(), a.ID, renga.UpgradeTrying, "17", ada)
	f.must(err)
	a = f.is(a.ID, renga.UpgradeTried)
	f.serves("15", stop(), 1)
	if a.Options["version"] != "15" || !strings.HasPrefix(a.Upgrade.Reason, "Copied were ") {
		t.Errorf("it is of %s, and found is %q", a.Options["version"], a.Upgrade.Reason)
	}
}

func TestAnUpgradeIsPreparedAndCanceled(t *testing.T) {
	f := newFixture(t)
	a, stop := f.upgradable()
	if err := f.CancelUpgrade(t.Context(), a.ID); renga.KindOf(err) != renga.Invalid {
		t.Errorf("canceled without one: %v", err)
	}
	for range 2 {
		_, err := f.Upgrade(t.Context(), a.ID, renga.UpgradePrepared, "17", ada)
		f.must(err)
	}
	f.serves("15", stop(), 1)
	f.must(f.CancelUpgrade(t.Context(), a.ID))
	f.is(a.ID, "")
	for version, want := range map[string]string{
		"9": "to a newer one only", "15": "to a newer one only", "16": "does not come in version", "no'ne": "does not come in version",
	} {
		if _, err := f.Upgrade(t.Context(), a.ID, renga.UpgradeCopying, version, ada); renga.KindOf(err) != renga.Invalid ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("to %s: %v", version, err)
		}
	}
	other := f.create(renga.AddOnRequest{Plan: plan})
	if _, err := f.Upgrade(t.Context(), other.ID, renga.UpgradeCopying, "", ada); renga.KindOf(err) != renga.Invalid {
		t.Errorf("where there is none: %v", err)
	}
}

// What else changes the data or the place has to wait; what removes it has not.
func TestWhatIsAskedForDuringAnUpgrade(t *testing.T) {
	f := newFixture(t)
	a, stop := f.upgradable()
	defer stop()
	f.twice.set(func(p *twice) { p.held = make(chan struct{}) })
	_, err := f.Upgrade(t.Context(), a.ID, renga.UpgradeCopying, "17", ada)
	f.must(err)
	<-f.twice.begun
	_, again := f.Upgrade(t.Context(), a.ID, renga.UpgradeCopying, "17", ada)
	for what, err := range map[string]error{
		"another one": again, "a cancel": f.CancelUpgrade(t.Context(), a.ID), "a way back": f.UndoUpgrade(t.Context(), a.ID, ada),
		"a restore": f.Restore(t.Context(), a.ID, strings.NewReader("")), "a drop": f.DropUpgrade(t.Context(), a.ID, ada),
		"a plan": f.ChangePlan(t.Context(), a.ID, "heroku-postgresql:standard-9", ada),
	} {
		if renga.KindOf(err) != renga.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	f.must(f.Destroy(t.Context(), a.ID, true, ada))
	addonstest.Gone(t, f.db, a.ID)
	if _, all := f.twice.open(); all != 0 {
		t.Errorf("%d places are left", all)
	}
}
