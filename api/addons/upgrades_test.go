package addons_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"renga"
	"renga/api/wire/wiretest"
)

const upgrading = "/client/v11/databases/postgresql-curved-12345/upgrade/"

// upgraded is a change of the fixture: how far the upgrade of the database is.
func upgraded(u renga.Upgrade) func(*wiretest.Seed) {
	return func(s *wiretest.Seed) {
		i := slices.IndexFunc(s.AddOns, func(a renga.AddOn) bool { return a.ID == wiretest.Database })
		s.AddOns[i].Upgrade, s.AddOns[i].Options = u, map[string]string{"version": "15"}
	}
}

// becomes checks what has become of the database's upgrade, and whose it is.
func becomes(state renga.UpgradeState, version string) func(*testing.T, *fixture, *http.Response) {
	return func(t *testing.T, f *fixture, _ *http.Response) {
		t.Helper()
		a, err := f.DB.AddOn(t.Context(), wiretest.Database)
		if err != nil || a.Upgrade.State != state || a.Upgrade.Other.Version != version || state != "" && a.Upgrade.By != wiretest.Ada.ID {
			t.Errorf("the upgrade is %+v, %v", a.Upgrade, err)
		}
	}
}

func TestTheCLIUpgrades(t *testing.T) {
	to17 := renga.Upgrade{By: wiretest.Ada.ID, Other: renga.Place{Version: "17"}}
	in := func(state renga.UpgradeState, reason string) func(*wiretest.Seed) {
		u := to17
		u.State, u.Reason, u.KeptUntil = state, reason, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		return upgraded(u)
	}
	run(t, []scenario{
		{Name: "prepare", Method: "POST", URL: upgrading + "prepare", Body: `{"version":"16"}`,
			Has: []string{"is prepared. Run `heroku pg:upgrade:run`"}, After: becomes(renga.UpgradePrepared, "16")},
		{Name: "dry run", Method: "POST", URL: upgrading + "dry_run", Body: `{}`,
			Has: []string{"Trying the upgrade to version 17"}, After: becomes(renga.UpgradeTrying, "17")},
		{Name: "run", Method: "POST", URL: upgrading + "run", Body: `{}`,
			Has: []string{"Upgrading to version 17, and nobody is let in"}, After: becomes(renga.UpgradeCopying, "17")},
		{Name: "cancel", Method: "POST", URL: upgrading + "cancel", Body: `{}`, Prepare: in(renga.UpgradePrepared, ""),
			Has: []string{"is canceled"}, After: becomes("", "")},
		{Name: "wait for none", URL: upgrading + "wait_status", Has: []string{`"waiting?":false,"error?":false`, "No upgrade"}},
		{Name: "wait", URL: upgrading + "wait_status", Prepare: in(renga.UpgradeCopying, ""), Has: []string{`"waiting?":true,"error?":false`}},
		{Name: "wait for one that failed", URL: upgrading + "wait_status", Prepare: in(renga.UpgradeFailed, "A row is lost."),
			Has: []string{`"waiting?":false,"error?":true`, "all is as it was before: A row is lost."}},
		{Name: "wait for one that is done", URL: upgrading + "wait_status", Prepare: in(renga.UpgradeKept, ""),
			Has: []string{`"waiting?":false,"error?":false`, "It has version 15. The data of version 17 are kept until 2026-01-02T03:04:05Z"}},
		{Name: "pg:info tells of it", URL: "/client/v11/databases/postgresql-curved-12345", Prepare: in(renga.UpgradeTried, "1 row."),
			Has: []string{`{"name":"Upgrade","values":["A trial of the upgrade to version 17 went well. 1 row."]}`}},
		{Name: "a Redis has none of it", Method: "POST", URL: "/client/v11/databases/redis-flat-11111/upgrade/run", Body: `{}`, Status: 404},
	})
}

func TestUpgradesBeyondTheCLI(t *testing.T) {
	const at = "/addons/postgresql-curved-12345/upgrade"
	kept := upgraded(renga.Upgrade{State: renga.UpgradeKept, By: wiretest.Ada.ID, Other: renga.Place{Version: "13"}})
	run(t, []scenario{
		{Name: "none", URL: at, Has: []string{`"state":"none"`, `"other_version":null`, `"kept_until":null`}},
		{Name: "any service", Method: "POST", URL: "/addons/redis-flat-11111/upgrade", Body: `{"version":"8"}`, Status: 202,
			Has: []string{`"state":"copying"`, `"other_version":"8"`}},
		{Name: "a trial", Method: "POST", URL: at, Body: `{"try":true}`, Status: 202, After: becomes(renga.UpgradeTrying, "17")},
		{Name: "back without a confirmation", Method: "POST", URL: at + "/actions/undo", Body: `{}`, Prepare: kept, Status: 422,
			After: becomes(renga.UpgradeKept, "13")},
		{Name: "back with another app's", Method: "POST", URL: at + "/actions/undo", Body: `{"confirm":"shop"}`, Prepare: kept, Status: 422,
			After: becomes(renga.UpgradeKept, "13")},
		{Name: "back", Method: "POST", URL: at + "/actions/undo", Body: `{"confirm":"hello"}`, Prepare: kept, Status: 202,
			Has: []string{`"state":"returning"`, "Going back to version 13"}, After: becomes(renga.UpgradeReturning, "13")},
		{Name: "drop", Method: "DELETE", URL: at, Prepare: kept, Status: 202, After: becomes(renga.UpgradeDropping, "13")},
		{Name: "drop what is prepared", Method: "DELETE", URL: at, Prepare: upgraded(renga.Upgrade{State: renga.UpgradePrepared}), Status: 202,
			After: becomes("", "")},
	})
}

// Who may not operate the app, or has a token that changes no secrets, changes nothing; to
// strangers it is not there.
func TestWhoUpgrades(t *testing.T) {
	const at = "/addons/postgresql-curved-12345/upgrade"
	for _, c := range []struct{ method, url, body string }{
		{"POST", upgrading + "prepare", `{}`}, {"POST", upgrading + "dry_run", `{}`}, {"POST", upgrading + "run", `{}`},
		{"POST", upgrading + "cancel", `{}`}, {"POST", at, `{}`}, {"POST", at + "/actions/undo", `{"confirm":"hello"}`}, {"DELETE", at, ""},
	} {
		for token, status := range map[string]int{"ada-token/read": 403, "ada-token/write": 403, "carol-token": 403, "bob-token": 404} {
			for _, state := range []renga.UpgradeState{renga.UpgradeKept, renga.UpgradePrepared} {
				u := renga.Upgrade{State: state, By: wiretest.Ada.ID, Other: renga.Place{Version: "13"}}
				scenario{
					Name: c.url + " with " + token, Method: c.method, URL: c.url, Body: c.body, Status: status,
					Headers: wiretest.Bearer(token), After: becomes(state, "13"),
				}.Play(t, newFixture(upgraded(u), carol(renga.MayView, renga.MayDeploy)))
			}
		}
	}
	for _, url := range []string{at, upgrading + "wait_status"} {
		scenario{URL: url, Headers: wiretest.AsBob, Status: 404}.Play(t, newFixture())
	}
}
