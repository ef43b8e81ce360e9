package addons_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"renga"
	"renga/store/storetest"
)

const plan = "heroku-postgresql"

func TestAnAddOnGivesItsCredentialsInOneRelease(t *testing.T) {
	f := newFixture(t)
	a := f.create(renga.AddOnRequest{Plan: plan})
	if !regexp.MustCompile(`^postgresql-[a-z]+-\d{5}$`).MatchString(a.Name) || a.Host != a.Name+".internal" {
		t.Errorf("it is called %q at %q", a.Name, a.Host)
	}
	if got, want := f.apps.Descriptions(blog), []string{"Attach DATABASE (@ref:" + a.Name + ")"}; !slices.Equal(got, want) {
		t.Errorf("releases %q, want %q", got, want)
	}
	f.answers(blog, "DATABASE_URL", a.ID)
	if a.Options["version"] != "17" {
		t.Errorf("its options are %v: another default would change its version", a.Options)
	}
	m := f.server.of(a.ID)
	if m.plan != "essential-0" || !slices.Equal(m.apps, []string{"blog"}) || len(m.known) != 1 {
		t.Errorf("its provider has %+v", m)
	}
}

// answers checks that the service knows what a config var says.
func (f *fixture) answers(app renga.AppID, name string, id renga.AddOnID) {
	f.Helper()
	value := f.apps.Env(app)[name]
	for user, password := range f.server.of(id).known {
		if strings.HasPrefix(value, "db://"+user+":"+password+"@") {
			return
		}
	}
	f.Errorf("%s of %s does not lead into %s", name, app, id)
}

func TestFurtherAttachmentsHaveColours(t *testing.T) {
	f := newFixture(t)
	first := f.create(renga.AddOnRequest{Plan: plan})
	second := f.create(renga.AddOnRequest{Plan: plan})
	name := second.Attachments[0].Name
	if !regexp.MustCompile(`^HEROKU_POSTGRESQL_[A-Z]+$`).MatchString(name) {
		t.Errorf("the second is attached as %q", name)
	}
	f.answers(blog, "DATABASE_URL", first.ID)
	f.answers(blog, name+"_URL", second.ID)
}

func TestAConfigVarSetByHandIsNeverReplaced(t *testing.T) {
	f := newFixture(t)
	f.apps.Set(blog, renga.Vars{"DATABASE_URL": "mine"})
	a := f.create(renga.AddOnRequest{Plan: plan})
	if name := a.Attachments[0].Name; !strings.HasPrefix(name, "HEROKU_POSTGRESQL_") {
		t.Errorf("it is attached as %s", name)
	}
	if got := f.apps.Env(blog)["DATABASE_URL"]; got != "mine" {
		t.Errorf("DATABASE_URL is %q", got)
	}
	_, err := f.Create(t.Context(), f.app(blog), renga.AddOnRequest{Plan: plan, Attachment: "DATABASE"}, ada)
	if renga.KindOf(err) != renga.Invalid || !strings.Contains(err.Error(), "DATABASE_URL is set by hand") {
		t.Errorf("to take the name by force: %v", err)
	}
}

// TestPromotionIsOneRelease: what pg:promote asks for moves the name DATABASE from
// one add-on to another, and no release in between has neither.
func TestPromotionIsOneRelease(t *testing.T) {
	f := newFixture(t)
	old := f.create(renga.AddOnRequest{Plan: plan})
	next := f.create(renga.AddOnRequest{Plan: plan})
	before := len(f.apps.Descriptions(blog))
	r := renga.AttachmentRequest{App: blog, Name: "DATABASE"}
	if _, err := f.Attach(t.Context(), next.ID, r, ada); renga.KindOf(err) != renga.Unconfirmed {
		t.Fatalf("without a confirmation: %v", err)
	}
	r.Confirm = "admin"
	if _, err := f.Attach(t.Context(), next.ID, r, ada); renga.KindOf(err) != renga.Unconfirmed {
		t.Fatalf("with that of another app: %v", err)
	}
	r.Confirm = "blog"
	_, err := f.Attach(t.Context(), next.ID, r, ada)
	f.must(err)
	f.answers(blog, "DATABASE_URL", next.ID)
	f.answers(blog, next.Attachments[0].Name+"_URL", next.ID)
	said := f.apps.Descriptions(blog)[before:]
	if len(said) != 1 || !strings.Contains(said[0], "Attach DATABASE (@ref:"+next.Name+")") ||
		!strings.Contains(said[0], "Detach DATABASE (@ref:"+old.Name+")") {
		t.Errorf("releases %q", said)
	}
	storetest.Poll(t, "the old one to be out of reach", func() bool { return len(f.server.of(old.ID).apps) == 0 })
}

// TestANameIsTakenOnceTheNewOneAnswers: until then the app has the old add-on's
// config var, and no release in between has neither.
func TestANameIsTakenOnceTheNewOneAnswers(t *testing.T) {
	f := newFixture(t)
	old := f.create(renga.AddOnRequest{Plan: plan})
	before := len(f.apps.Descriptions(blog))
	f.server.fail(renga.Errorf(renga.Unavailable, "Docker does not answer."))
	r := renga.AddOnRequest{Plan: plan, Attachment: "DATABASE"}
	if _, err := f.Create(t.Context(), f.app(blog), r, ada); renga.KindOf(err) != renga.Unconfirmed {
		t.Fatalf("without a confirmation: %v", err)
	}
	r.Confirm = "blog"
	next, err := f.Create(t.Context(), f.app(blog), r, ada)
	f.must(err)
	storetest.Poll(t, "it to fail for now", func() bool {
		now, err := f.db.AddOn(t.Context(), next.ID)
		return err == nil && now.Fault != ""
	})
	f.answers(blog, "DATABASE_URL", old.ID)
	if said := f.apps.Descriptions(blog)[before:]; len(said) != 0 {
		t.Errorf("releases before it answers: %q", said)
	}
	f.server.fail(nil)
	f.reaches(next.ID, renga.Provisioned)
	f.answers(blog, "DATABASE_URL", next.ID)
	if said := f.apps.Descriptions(blog)[before:]; len(said) != 1 {
		t.Errorf("releases %q, want one", said)
	}
}

// TestReleasesAreOfWhoAskedForThem, though the platform makes some of them later.
func TestReleasesAreOfWhoAskedForThem(t *testing.T) {
	f := newFixture(t)
	a := f.create(renga.AddOnRequest{Plan: plan})
	f.must(f.Rotate(t.Context(), a.ID, renga.DefaultCredential, "bob"))
	f.must(f.ChangePlan(t.Context(), a.ID, "heroku-postgresql:standard-0", "carol"))
	_, err := f.Attach(t.Context(), a.ID, renga.AttachmentRequest{App: blog, Name: "LEDGER"}, "bob")
	f.must(err)
	f.must(f.Destroy(t.Context(), a.ID, false, "carol"))
	var got []renga.AccountID
	for _, rel := range f.apps.Releases(blog)[1:] {
		got = append(got, rel.By)
	}
	if want := []renga.AccountID{ada, "bob", "carol", "bob", "carol"}; !slices.Equal(got, want) {
		t.Errorf("releases by %q, want %q", got, want)
	}
}

// TestRotationsHaveABound: as long as a dyno has the old credentials, they live.
func TestRotationsHaveABound(t *testing.T) {
	f := newFixture(t)
	a := f.create(renga.AddOnRequest{Plan: plan})
	var err error
	made := 0
	for ; made < 100 && err == nil; made++ {
		newest := f.apps.Last(blog).Version
		var dynos []int
		for version := 2; version <= newest; version++ {
			dynos = append(dynos, version)
		}
		f.apps.Hold(blog, newest, dynos...)
		err = f.Rotate(t.Context(), a.ID, renga.DefaultCredential, ada)
	}
	if now := f.reaches(a.ID, renga.Provisioned); renga.KindOf(err) != renga.Invalid || len(now.Credentials) != 20 {
		t.Errorf("%d rotations leave %d credentials: %v", made, len(now.Credentials), err)
	}
}

func TestAnotherAppIsGivenTheSame(t *testing.T) {
	f := newFixture(t)
	a := f.create(renga.AddOnRequest{Plan: plan})
	at, err := f.Attach(t.Context(), a.ID, renga.AttachmentRequest{App: admin, Name: "billing"}, ada)
	f.must(err)
	f.answers(admin, "BILLING_URL", a.ID)
	if apps := f.server.of(a.ID).apps; !slices.Equal(apps, []string{"admin", "blog"}) {
		t.Errorf("%v reach it", apps)
	}
	if err := f.Destroy(t.Context(), a.ID, false, ada); renga.KindOf(err) != renga.Invalid {
		t.Errorf("destroyed though another app has it: %v", err)
	}
	f.must(f.Detach(t.Context(), a.ID, at.ID, ada))
	if got := f.apps.Descriptions(admin); got[len(got)-1] != "Detach BILLING (@ref:"+a.Name+")" {
		t.Errorf("releases of admin: %q", got)
	}
	storetest.Poll(t, "admin to be out of reach", func() bool {
		return slices.Equal(f.server.of(a.ID).apps, []string{"blog"})
	})
	f.answers(blog, "DATABASE_URL", a.ID)
}

// TestARotationEndsTheOldCredentialWithItsLastDyno, and not before, even if the new
// release fails and the old one serves on.
func TestARotationEndsTheOldCredentialWithItsLastDyno(t *testing.T) {
	f := newFixture(t)
	a := f.create(renga.AddOnRequest{Plan: plan})
	old, was := a.Credentials[0], f.apps.Env(blog)["DATABASE_URL"]
	f.apps.Hold(blog, 2, 2) // release 2 serves
	f.must(f.Rotate(t.Context(), a.ID, renga.DefaultCredential, ada))
	f.answers(blog, "DATABASE_URL", a.ID)
	if now := f.apps.Env(blog)["DATABASE_URL"]; now == was {
		t.Error("the config var is as it was")
	}
	if got := f.apps.Descriptions(blog); got[len(got)-1] != "Update DATABASE by heroku-postgresql" {
		t.Errorf("releases %q", got)
	}
	if f.server.of(a.ID).known[old.User] != string(old.Password) {
		t.Fatal("the old credential ended while a release with it served")
	}
	f.apps.Hold(blog, 3, 2) // release 3 serves, and a one-off dyno is of release 2
	f.must(f.CreateCredential(t.Context(), a.ID, "reports"))
	if f.server.of(a.ID).known[old.User] == "" {
		t.Fatal("the old credential ended under a dyno")
	}
	f.apps.Hold(blog, 3, 3)
	storetest.Poll(t, "the old credential to end", func() bool { return f.server.of(a.ID).known[old.User] == "" })
	f.answers(blog, "DATABASE_URL", a.ID)
	storetest.Poll(t, "the record to say so", func() bool {
		now, err := f.db.AddOn(t.Context(), a.ID)
		f.must(err)
		versions := map[int]string{}
		for _, c := range now.Credentials {
			versions[c.Version] = c.Name + " " + string(c.State)
		}
		return fmt.Sprint(versions) == "map[2:default active 3:reports active]"
	})
}

func TestAFailedAddOnLeavesNothingAndSaysWhy(t *testing.T) {
	f := newFixture(t)
	f.server.fail(renga.Errorf(renga.Invalid, "The image postgres:17 does not exist."))
	a, err := f.Create(t.Context(), f.app(blog), renga.AddOnRequest{Plan: plan}, ada)
	f.must(err)
	a = f.reaches(a.ID, renga.Deprovisioned)
	if a.Fault != "The image postgres:17 does not exist." || len(a.Attachments) != 0 || f.server.has(a.ID) {
		t.Errorf("it is %+v", a)
	}
	if got := f.apps.Descriptions(blog); len(got) != 0 {
		t.Errorf("releases %q", got)
	}
	want := "heroku[heroku-postgresql]: Could not provision " + a.Name + ": The image postgres:17 does not exist."
	if !slices.Contains(f.logs.All(), want) {
		t.Errorf("the log says %q", f.logs.All())
	}
}

// TestWhatMayPassIsTriedAgain: Docker that is away is no reason to give up, neither
// on a new add-on nor on one that is there.
func TestWhatMayPassIsTriedAgain(t *testing.T) {
	f := newFixture(t)
	f.server.fail(renga.Errorf(renga.Unavailable, "Docker does not answer."))
	a, err := f.Create(t.Context(), f.app(blog), renga.AddOnRequest{Plan: plan}, ada)
	f.must(err)
	storetest.Poll(t, "the fault to be seen", func() bool {
		now, err := f.db.AddOn(t.Context(), a.ID)
		return err == nil && now.Fault == "Docker does not answer." && now.State == renga.Provisioning
	})
	f.server.fail(nil)
	if a = f.reaches(a.ID, renga.Provisioned); a.Fault != "" {
		t.Errorf("it still says %q", a.Fault)
	}
	f.answers(blog, "DATABASE_URL", a.ID)
}

func TestAPlanChangesInPlaceOrNotAtAll(t *testing.T) {
	f := newFixture(t)
	a := f.create(renga.AddOnRequest{Plan: plan})
	f.must(f.ChangePlan(t.Context(), a.ID, "heroku-postgresql:standard-0", ada))
	if m := f.server.of(a.ID); m.plan != "standard-0" || m.times != 1 {
		t.Errorf("its provider has %+v", m)
	}
	if f.apps.Last(blog).Inputs.Plans()[0] != "heroku-postgresql:standard-0" {
		t.Error("the release does not say so")
	}
	err := f.ChangePlan(t.Context(), a.ID, "heroku-postgresql:premium-0", ada)
	if renga.KindOf(err) != renga.Invalid || !strings.Contains(err.Error(), "different servers") {
		t.Errorf("to another server: %v", err)
	}
}

func TestDestroyedAddOnsAreGone(t *testing.T) {
	f := newFixture(t)
	a := f.create(renga.AddOnRequest{Plan: plan, Name: "shop-db"})
	f.must(f.Destroy(t.Context(), a.ID, false, ada))
	f.gone(a.ID)
	if _, has := f.apps.Env(blog)["DATABASE_URL"]; has {
		t.Error("the app still has its config var")
	}
	if got := f.apps.Descriptions(blog); got[len(got)-1] != "Detach DATABASE (@ref:shop-db)" {
		t.Errorf("releases %q", got)
	}
	f.create(renga.AddOnRequest{Plan: plan, Name: "shop-db"}) // the names are free
}

func TestADeletedAppTakesItsAddOnsWithIt(t *testing.T) {
	f := newFixture(t)
	own := f.create(renga.AddOnRequest{Plan: plan})
	other, err := f.Create(t.Context(), f.app(admin), renga.AddOnRequest{Plan: plan}, ada)
	f.must(err)
	f.reaches(other.ID, renga.Provisioned)
	_, err = f.Attach(t.Context(), other.ID, renga.AttachmentRequest{App: blog, Name: "ADMIN"}, ada)
	f.must(err)
	_, err = f.db.UpdateApp(t.Context(), blog, func(a *renga.App) error { a.Deleting = true; return nil })
	f.must(err)
	f.must(f.RemoveOf(t.Context(), blog))
	f.must(f.db.RemoveApp(t.Context(), blog))
	f.gone(own.ID)
	storetest.Poll(t, "blog to be out of reach", func() bool {
		return slices.Equal(f.server.of(other.ID).apps, []string{"admin"})
	})
	f.answers(admin, "DATABASE_URL", other.ID)
}

// TestKilledAnywhereItEndsTheSame goes through an add-on's life, cut off at each
// call in turn, as if Renga had been killed there, and started again. Afterwards
// all is as if nothing had happened: one service, with just the credentials that
// the apps have, and no release without them.
func TestKilledAnywhereItEndsTheSame(t *testing.T) {
	lives := map[string]func(f *fixture, a renga.AddOn){
		"create": func(*fixture, renga.AddOn) {},
		"rotate": func(f *fixture, a renga.AddOn) { ignore(f.Rotate(f.Context(), a.ID, renga.DefaultCredential, ada)) },
		"attach": func(f *fixture, a renga.AddOn) {
			_, err := f.Attach(f.Context(), a.ID, renga.AttachmentRequest{App: admin, Name: "DATABASE"}, ada)
			ignore(err)
		},
		"detach": func(f *fixture, a renga.AddOn) {
			ignore(f.Detach(f.Context(), a.ID, a.Attachments[0].ID, ada))
		},
		"destroy": func(f *fixture, a renga.AddOn) { ignore(f.Destroy(f.Context(), a.ID, false, ada)) },
	}
	for what, do := range lives {
		t.Run(what, func(t *testing.T) {
			for n := 1; ; n++ {
				if !cutAt(t, what, n, do) {
					break
				}
			}
		})
	}
}

// ignore is for errors of calls that are cut off on purpose.
func ignore(error) {}

// cutAt does one thing to an add-on, cut off at the n-th call, and tells whether
// it came to that.
func cutAt(t *testing.T, what string, n int, do func(*fixture, renga.AddOn)) bool {
	f := newFixture(t)
	defer f.stop()
	var a renga.AddOn
	if what == "create" {
		f.calls.cutAfter(n)
		var err error
		a, err = f.Create(t.Context(), f.app(blog), renga.AddOnRequest{Plan: plan}, ada)
		f.must(err)
		storetest.Poll(t, "the cut, or the end", func() bool {
			now, err := f.db.AddOn(t.Context(), a.ID)
			return err == nil && now.State == renga.Provisioned || f.calls.isCut()
		})
	} else {
		a = f.create(renga.AddOnRequest{Plan: plan})
		f.calls.cutAfter(n)
		do(f, a)
	}
	f.stop()
	cut := f.calls.mend()
	f.start()
	if what == "destroy" {
		f.gone(a.ID)
		if _, has := f.apps.Env(blog)["DATABASE_URL"]; has {
			t.Errorf("cut at %d: the app still has its config var", n)
		}
		return cut
	}
	f.settles(a.ID, fmt.Sprintf("%s cut at %d", what, n))
	if what != "detach" {
		f.answers(blog, "DATABASE_URL", a.ID)
	} else if _, has := f.apps.Env(blog)["DATABASE_URL"]; has {
		t.Errorf("cut at %d: the app still has its config var", n)
	}
	if what == "attach" {
		f.answers(admin, "DATABASE_URL", a.ID)
	}
	return cut
}

// settles waits until an add-on has one active credential, and its service knows
// just that one.
func (f *fixture) settles(id renga.AddOnID, when string) {
	f.Helper()
	storetest.Poll(f.T, when+": one credential", func() bool {
		a, err := f.db.AddOn(f.Context(), id)
		if err != nil || a.State != renga.Provisioned || a.Fault != "" || len(a.Credentials) != 1 {
			return false
		}
		leaving := slices.ContainsFunc(a.Attachments, func(at renga.Attachment) bool { return at.Leaving })
		m := f.server.of(id)
		c := a.Credentials[0]
		return !leaving && len(m.known) == 1 && m.known[c.User] == string(c.Password) && m.times == 1 &&
			len(m.apps) == len(a.Apps())
	})
}

func TestErrorsSayWhatToDo(t *testing.T) {
	f := newFixture(t)
	a := f.create(renga.AddOnRequest{Plan: plan})
	_, noPlan := f.Create(t.Context(), f.app(blog), renga.AddOnRequest{Plan: "nonesuch"}, ada)
	_, badName := f.Create(t.Context(), f.app(blog), renga.AddOnRequest{Plan: plan, Name: "No"}, ada)
	_, reserved := f.Create(t.Context(), f.app(blog), renga.AddOnRequest{Plan: plan, Name: "postgresql-shared-17"}, ada)
	_, taken := f.Create(t.Context(), f.app(blog), renga.AddOnRequest{Plan: plan, Name: a.Name}, ada)
	_, same := f.Attach(t.Context(), a.ID, renga.AttachmentRequest{App: blog, Name: "DATABASE"}, ada)
	_, noCredential := f.Attach(t.Context(), a.ID, renga.AttachmentRequest{App: blog, Credential: "x"}, ada)
	for what, c := range map[string]struct {
		err  error
		kind renga.Kind
	}{
		"an unknown plan":       {noPlan, renga.NotFound},
		"a bad name":            {badName, renga.Invalid},
		"the platform's name":   {reserved, renga.Invalid},
		"a taken name":          {taken, renga.Conflict},
		"attached already":      {same, renga.Invalid},
		"an unknown credential": {noCredential, renga.NotFound},
		"no such attachment":    {f.Detach(t.Context(), a.ID, "x", ada), renga.NotFound},
		"rotate an unknown one": {f.Rotate(t.Context(), a.ID, "x", ada), renga.NotFound},
		"destroy the default":   {f.DestroyCredential(t.Context(), a.ID, renga.DefaultCredential), renga.Invalid},
	} {
		var sentence *renga.Error
		if renga.KindOf(c.err) != c.kind || !errors.As(c.err, &sentence) {
			t.Errorf("%s: %v is %s, want %s", what, c.err, renga.KindOf(c.err), c.kind)
		}
	}
}
