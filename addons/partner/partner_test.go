package partner_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/store/storetest"
)

// url is what an app is to see of an add-on.
func (f *fixture) wanted(id renga.AddOnID) string {
	f.Helper()
	r := f.at(id)
	return "bucket://" + r.Plan + ":" + r.Password + "@bucket.example/" + string(id)
}

// sees waits until an app's newest release has a config var as the partner has it.
func (f *fixture) sees(app renga.AppID, name string, id renga.AddOnID) {
	f.Helper()
	storetest.Poll(f.T, name+" to be the partner's", func() bool { return f.apps.Env(app)[name] == f.wanted(id) })
}

func TestAnAppGetsWhatAPartnerProvides(t *testing.T) {
	f := newFixture(t)
	a := f.reaches(f.create("errorbucket").ID, renga.Provisioned)
	f.sees(blog, "ERRORBUCKET_URL", a.ID)
	if rel := f.apps.Last(blog); rel.Version != 2 || rel.Description != "Attach ERRORBUCKET (@ref:"+a.Name+")" {
		t.Errorf("v%d %s", rel.Version, rel.Description)
	}
	r := f.at(a.ID)
	if r.Made != 1 || r.Name != a.Name || r.Plan != "test" || r.Options["foo"] != "bar" ||
		r.Callback != f.api.URL+"/addons/"+string(a.ID) {
		t.Errorf("the partner was told %+v", r)
	}
	if a.Partner.ID != string(a.ID) || a.Partner.Message != "Thank you.[31m" {
		t.Errorf("kept of it: %+v", a.Partner)
	}
	// Attached under another name, its config vars are called so.
	_, err := f.Attach(t.Context(), a.ID, renga.AttachmentRequest{App: wiki, Name: "BUCKET"}, ada)
	f.must(err)
	f.sees(wiki, "BUCKET_URL", a.ID)

	f.must(f.ChangePlan(t.Context(), a.ID, "errorbucket:large", ada))
	f.sees(blog, "ERRORBUCKET_URL", a.ID)
	if r := f.at(a.ID); r.Plan != "large" || !strings.Contains(f.apps.Env(wiki)["BUCKET_URL"], "bucket://large:") {
		t.Errorf("the plan is %s", r.Plan)
	}
	f.must(f.Destroy(t.Context(), a.ID, true, ada))
	f.gone(a.ID)
	if !f.at(a.ID).Gone || f.apps.Env(blog)["ERRORBUCKET_URL"] != "" || f.apps.Env(wiki)["BUCKET_URL"] != "" {
		t.Errorf("something is left: %+v", f.at(a.ID))
	}
}

func TestAPartnerMayProvideLater(t *testing.T) {
	f := newFixture(t)
	f.behave(true, true)
	a := f.create("errorbucket:large")
	a = f.until(a.ID, "be pending", func(a renga.AddOn) bool { return a.Partner.State == renga.PartnerPending })
	if a.State != renga.Provisioning || f.apps.Last(blog).Version != 1 {
		t.Errorf("%s, v%d before it is there", a.State, f.apps.Last(blog).Version)
	}
	f.stop()
	f.start() // what is pending is not asked for again
	f.control("finish/"+string(a.ID), nil)
	f.reaches(a.ID, renga.Provisioned)
	f.sees(blog, "ERRORBUCKET_URL", a.ID)
	if r := f.at(a.ID); r.Made != 1 || len(r.Codes) != 1 || len(r.Faults) > 0 {
		t.Errorf("the partner saw %+v", r)
	}
}

func TestACallbackMayComeBeforeTheAnswer(t *testing.T) {
	f := newFixture(t)
	f.behave(true, false) // it finishes as fast as it can
	for range 5 {
		a := f.reaches(f.create("errorbucket").ID, renga.Provisioned)
		if r := f.at(a.ID); len(r.Faults) > 0 {
			t.Errorf("the partner saw %v", r.Faults)
		}
	}
}

func TestWhatAPartnerNeverProvidesIsGivenUp(t *testing.T) {
	f := newFixture(t)
	f.behave(true, true)
	a := f.create("errorbucket")
	f.until(a.ID, "be pending", func(a renga.AddOn) bool { return a.Partner.State == renga.PartnerPending })
	f.later.Store(int64(13 * time.Hour))
	f.Look(a.ID)
	a = f.reaches(a.ID, renga.Deprovisioned)
	if a.Fault != "Errorbucket did not provide it within 12 hours." || !f.at(a.ID).Gone {
		t.Errorf("%q, and there it is %+v", a.Fault, f.at(a.ID))
	}
}

func TestAPartnerIsAskedAgain(t *testing.T) {
	f := newFixture(t)
	f.timeout = time.Second
	f.stop()
	f.start()
	f.behave(false, false,
		map[string]any{"method": "POST", "status": 503, "body": `{"message": "Come back later."}`},
		map[string]any{"method": "POST", "late": true}, // it is made, and the answer is lost
		map[string]any{"method": "POST", "status": 200, "body": "<html>"},
	)
	a := f.create("errorbucket")
	f.until(a.ID, "tell why", func(a renga.AddOn) bool {
		return a.Fault == "Errorbucket cannot do that now; it is asked again: Come back later."
	})
	f.reaches(a.ID, renga.Provisioned)
	f.sees(blog, "ERRORBUCKET_URL", a.ID)
	if r := f.at(a.ID); r.Made != 1 || len(r.Codes) != 2 || len(r.Faults) > 0 {
		t.Errorf("made %d times, with the codes %v; %v", r.Made, r.Codes, r.Faults)
	}
	f.behave(false, false,
		map[string]any{"method": "DELETE", "status": 500}, map[string]any{"method": "DELETE", "late": true},
	)
	_ = f.Destroy(t.Context(), a.ID, false, ada) // it goes on
	f.gone(a.ID)
	if !f.at(a.ID).Gone {
		t.Error("the partner still has it")
	}
}

// A request that is sent again says the same, so that it is known for what it is.
func TestARequestIsRepeatedAsItWas(t *testing.T) {
	f := newFixture(t)
	f.timeout = time.Second
	f.stop()
	f.start()
	f.behave(true, true, map[string]any{"method": "POST", "late": true})
	a := f.create("errorbucket")
	f.until(a.ID, "be pending", func(a renga.AddOn) bool { return a.Partner.State == renga.PartnerPending })
	if r := f.at(a.ID); len(r.Codes) != 2 || r.Codes[0] != r.Codes[1] {
		t.Errorf("asked with the codes %v: want one, twice", r.Codes)
	}
}

func TestAPartnerMayRefuse(t *testing.T) {
	f := newFixture(t)
	a := f.reaches(f.create("errorbucket:none").ID, renga.Deprovisioned)
	if a.Fault != "Errorbucket refuses: We have no plan of that name." || f.apps.Last(blog).Version != 1 {
		t.Errorf("%q, v%d", a.Fault, f.apps.Last(blog).Version)
	}
	want := "heroku[errorbucket]: Could not provision " + a.Name + ": " + a.Fault
	if all := f.logs.All(); !slices.Contains(all, want) {
		t.Errorf("the app's log has %q", all)
	}
	b := f.reaches(f.create("errorbucket").ID, renga.Provisioned)
	err := f.ChangePlan(t.Context(), b.ID, "errorbucket:none", ada)
	if renga.KindOf(err) != renga.Invalid || err.Error() != "Errorbucket refuses: You have too much for that plan." {
		t.Errorf("the plan changes: %v", err)
	}
	b = f.until(b.ID, "be well", func(a renga.AddOn) bool { return a.Fault == "" && a.State == renga.Provisioned })
	if b.Plan != "test" || f.at(b.ID).Plan != "test" {
		t.Errorf("the plan is %s, and there %s", b.Plan, f.at(b.ID).Plan)
	}
	f.behave(false, false, map[string]any{"method": "PUT", "status": 410})
	if err := f.ChangePlan(t.Context(), b.ID, "errorbucket:large", ada); renga.KindOf(err) != renga.Invalid {
		t.Errorf("the plan of what is gone: %v", err)
	}
}

func TestAPartnerIsKilledInTheMiddle(t *testing.T) {
	f := newFixture(t)
	f.behave(true, true)
	a := f.create("errorbucket")
	f.until(a.ID, "be pending", func(a renga.AddOn) bool { return a.Partner.State == renga.PartnerPending })
	f.killPartner()
	b := f.create("errorbucket")
	f.until(b.ID, "tell why", func(a renga.AddOn) bool {
		return a.Fault == "Errorbucket cannot be reached; it is asked again."
	})
	f.startPartner()
	f.behave(false, false)
	f.control("finish/"+string(a.ID), nil)
	for _, id := range []renga.AddOnID{a.ID, b.ID} {
		f.reaches(id, renga.Provisioned)
		if r := f.at(id); r.Made != 1 || len(r.Faults) > 0 {
			t.Errorf("%s: %+v", id, r)
		}
	}
}

// The room is killed at each moment of an add-on's making: what it has begun it ends.
func TestTheRoomIsKilledInTheMiddle(t *testing.T) {
	f := newFixture(t)
	for wait := range 8 {
		a := f.create("errorbucket")
		time.Sleep(time.Duration(wait) * 3 * time.Millisecond) // a moment of its own
		f.stop()
		f.start()
		f.reaches(a.ID, renga.Provisioned)
		if r := f.at(a.ID); r.Made != 1 || len(r.Faults) > 0 {
			t.Errorf("%+v", r)
		}
	}
}

func TestAPartnerRotates(t *testing.T) {
	f := newFixture(t)
	a := f.reaches(f.create("errorbucket").ID, renga.Provisioned)
	storetest.Poll(t, "tokens", func() bool { return f.at(a.ID).Access != "" })
	before := f.apps.Env(blog)["ERRORBUCKET_URL"]
	f.later.Store(int64(9 * time.Hour)) // its token is over: it gets another one
	f.control("rotate/"+string(a.ID), nil)
	f.sees(blog, "ERRORBUCKET_URL", a.ID)
	rel := f.apps.Last(blog)
	if f.apps.Env(blog)["ERRORBUCKET_URL"] == before || rel.Description != "Update ERRORBUCKET by errorbucket" {
		t.Errorf("v%d %s", rel.Version, rel.Description)
	}
	if r := f.at(a.ID); len(r.Faults) > 0 {
		t.Errorf("the partner saw %v", r.Faults)
	}
}

// What a partner answers is checked before anything of it is kept.
func TestAHostilePartnerIsHeldOff(t *testing.T) {
	for name, c := range map[string]struct {
		answer map[string]any
		says   string
	}{
		"another app's config": {
			map[string]any{"status": 201, "body": `{"id": 1, "config": {"DATABASE_URL": "marker-value"}}`},
			`Errorbucket sets a config var "DATABASE_URL", and its names must begin with ERRORBUCKET_.`,
		},
		"no name": {
			map[string]any{"status": 201, "body": `{"id": 1, "config": {"ERRORBUCKET_A=B": "marker-value"}}`},
			`Config var name "ERRORBUCKET_A=B" is invalid: use letters, digits and underscores, and no digit first.`,
		},
		"too much": {
			map[string]any{"status": 201, "body": `{"config": {"ERRORBUCKET_URL": "` + strings.Repeat("x", 70_000) + `"}}`},
			"Config vars must not exceed 65536 bytes in total; these would be 70015.",
		},
		"elsewhere": {
			map[string]any{"status": 307, "header": map[string]string{"Location": "http://127.0.0.1:1/"}},
			"Errorbucket answers from another URL than the one that the catalogue says; the operator must correct base_url.",
		},
		"another password": {
			map[string]any{"status": 401},
			"Errorbucket does not take the platform's password; the operator must put the right one into the file of its secrets.",
		},
		"endless": {
			map[string]any{"status": 200, "body": strings.Repeat(" ", 1<<20)},
			"Errorbucket answers with something that is no JSON object; it is asked again.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			c.answer["method"] = http.MethodPost
			f.behave(false, false, c.answer, c.answer, c.answer)
			a := f.until(f.create("errorbucket").ID, "tell why", func(a renga.AddOn) bool { return a.Fault != "" })
			if a.Fault != c.says || len(a.Partner.Config) > 0 || strings.Contains(f.log.String(), "marker") {
				t.Errorf("%q and %d config vars; want %q", a.Fault, len(a.Partner.Config), c.says)
			}
		})
	}
}

// What a partner may set in one answer it may not add to what it set before, by an
// answer to something else.
func TestAPartnersAnswersDoNotAddUp(t *testing.T) {
	f := newFixture(t)
	a := f.reaches(f.create("errorbucket").ID, renga.Provisioned)
	change := func(plan string, config map[string]string) error {
		text, err := json.Marshal(map[string]any{"config": config})
		f.must(err)
		f.behave(false, false, map[string]any{"method": "PUT", "status": 200, "body": string(text)})
		return f.ChangePlan(t.Context(), a.ID, "errorbucket:"+plan, ada)
	}
	some := func(name string) map[string]string {
		config := map[string]string{}
		for i := range 30 {
			config[fmt.Sprintf("ERRORBUCKET_%s_%d", name, i)] = "x"
		}
		return config
	}
	f.must(change("large", some("A")))
	f.must(change("test", map[string]string{"ERRORBUCKET_LONG": strings.Repeat("x", 40_000)}))
	for says, config := range map[string]map[string]string{
		"Errorbucket sets more than 50 config vars.":         some("B"),
		"Config vars must not exceed 65536 bytes in total; ": {"ERRORBUCKET_LONGER": strings.Repeat("x", 40_000)},
	} {
		if err := change("large", config); renga.KindOf(err) != renga.Invalid || !strings.HasPrefix(err.Error(), says) {
			t.Errorf("%v; want %s", err, says)
		}
		now := f.until(a.ID, "be well", func(a renga.AddOn) bool { return a.Fault == "" })
		if len(now.Partner.Config) != 32 || now.Plan != "test" || f.apps.Env(blog)["ERRORBUCKET_A_29"] != "x" {
			t.Errorf("it has %d config vars, and plan %s", len(now.Partner.Config), now.Plan)
		}
	}
}

func TestASlowPartnerDelaysNoOther(t *testing.T) {
	f := newFixture(t)
	late := map[string]any{"method": "POST", "late": true}
	f.behave(false, false, slices.Repeat([]map[string]any{late}, 4)...)
	for range 24 {
		f.create("errorbucket")
	}
	storetest.Poll(t, "the partner to be asked", func() bool { _, asked := f.kept(""); return asked >= 4 })
	began := time.Now()
	other := f.create("other") // it is refused: the program knows one name only
	f.until(other.ID, "be asked for", func(a renga.AddOn) bool { return a.Fault != "" })
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the other partner was asked after %s", took)
	}
	if _, asked := f.kept(""); asked > 4 {
		t.Errorf("the slow one was asked %d times at once", asked)
	}
}

func TestAPartnerIsNotReachedWhereNobodyMay(t *testing.T) {
	f := newFixture(t)
	f.stop()
	f.allowed = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.start()
	a := f.until(f.create("errorbucket").ID, "tell why", func(a renga.AddOn) bool { return a.Fault != "" })
	if _, asked := f.kept(a.ID); asked != 0 || a.Fault != "Errorbucket cannot be reached; it is asked again." {
		t.Errorf("asked %d times, %q", asked, a.Fault)
	}
	if !strings.Contains(f.log.String(), "--egress-allow") {
		t.Error("the log does not tell the operator what to do")
	}
}

func TestSecretsThatOthersMayReadAreNotUsed(t *testing.T) {
	f := newFixture(t)
	path := filepath.Join(f.dir, "errorbucket.json")
	create := func() error {
		app, err := f.db.App(t.Context(), blog)
		f.must(err)
		_, err = f.Create(t.Context(), app, renga.AddOnRequest{Plan: "errorbucket"}, ada)
		return err
	}
	for why, spoil := range map[string]func(){
		"chmod 600":       func() { f.must(os.Chmod(path, 0o640)) },
		"12 characters":   func() { f.must(os.WriteFile(path, []byte(`{"password": "marker"}`), 0o600)) },
		"no JSON object":  func() { f.must(os.WriteFile(path, []byte("marker-text"), 0o600)) },
		"no such file":    func() { f.must(os.Remove(path)) },
		"no regular file": func() { f.must(os.Remove(path)); f.must(os.Mkdir(path, 0o700)) },
	} {
		f.must(os.RemoveAll(path))
		f.must(os.WriteFile(path, []byte("{}"), 0o600))
		spoil()
		err := create()
		if renga.KindOf(err) != renga.Unavailable || strings.Contains(err.Error(), f.dir) {
			t.Errorf("%s: %v", why, err)
		}
		if log := f.log.String(); !strings.Contains(log, why) || strings.Contains(log, "marker") {
			t.Errorf("the log has no %q, or a secret: %s", why, log)
		}
	}
}
