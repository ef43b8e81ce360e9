package accounts_test

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"renga"
	"renga/accounts"
	"renga/store"
	"renga/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// cheap is a cost for tests; what it takes is not what they are about.
var cheap = accounts.Cost{Memory: 64, Passes: 1, Threads: 1}

const password = "correct horse battery"

func open(t *testing.T) (*store.Store, *accounts.Accounts) {
	t.Helper()
	db, err := storetest.New()
	check(t, err)
	return db, accounts.New(db, cheap)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, want renga.Kind) {
	t.Helper()
	if renga.KindOf(err) != want {
		t.Errorf("error is %v, want one of kind %s", err, want)
	}
}

func TestAnAccountIsMadeOnce(t *testing.T) {
	db, people := open(t)
	made, token, err := people.Create(t.Context(), "Basho@example.com", password)
	check(t, err)
	bearer, err := db.Bearer(t.Context(), token)
	check(t, err)
	if bearer.Account.ID != made.ID || !bearer.Authorization.Default ||
		!bearer.Authorization.Scopes.Allow(renga.ScopeGlobal) {
		t.Errorf("the token is of %+v", bearer)
	}
	_, _, err = people.Create(t.Context(), "bASHO@example.com", password)
	wantKind(t, err, renga.Conflict)
	for email, password := range map[string]string{
		"": password, "nobody": password, "A <a@example.com>": password, "a@example.com\n": password,
		strings.Repeat("a", 250) + "@example.com": password, "short@example.com": "1234567",
		"long@example.com": strings.Repeat("x", 1025),
	} {
		_, _, err := people.Create(t.Context(), email, password)
		wantKind(t, err, renga.Invalid)
	}
}

func TestTwoCreatesOfOneEmailMakeOneAccount(t *testing.T) {
	db, people := open(t)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { _, _, errs[i] = people.Create(t.Context(), "basho@example.com", password) })
	}
	wg.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
		} else {
			wantKind(t, err, renga.Conflict)
		}
	}
	if made != 1 {
		t.Errorf("%d accounts were made", made)
	}
	if _, err := db.AccountByEmail(t.Context(), "basho@example.com"); err != nil {
		t.Error(err)
	}
}

func TestLogin(t *testing.T) {
	db, people := open(t)
	made, _, err := people.Create(t.Context(), "basho@example.com", password)
	check(t, err)
	who, err := people.Login(t.Context(), "BASHO@example.com", password, "192.0.2.1")
	check(t, err)
	if who.Account.ID != made.ID || who.Account.LastLogin.IsZero() {
		t.Errorf("logged in is %+v", who)
	}
	check(t, db.EnsureAccount(t.Context(), renga.Account{ID: "x", Email: "without@example.com"}, "token"))
	for email, tried := range map[string]string{
		"basho@example.com": password + " ", "nobody@example.com": password, "without@example.com": "",
	} {
		_, err := people.Login(t.Context(), email, tried, "192.0.2.1")
		wantKind(t, err, renga.Unauthorized)
	}
	check(t, people.SetPassword(t.Context(), "basho@example.com", "another one"))
	_, err = people.Login(t.Context(), "basho@example.com", password, "192.0.2.1")
	wantKind(t, err, renga.Unauthorized)
	_, err = people.Login(t.Context(), "basho@example.com", "another one", "192.0.2.1")
	check(t, err)
	wantKind(t, people.SetPassword(t.Context(), "nobody@example.com", password), renga.NotFound)
}

func TestAPasswordOutlivesAChangeOfItsCost(t *testing.T) {
	db, people := open(t)
	_, _, err := people.Create(t.Context(), "basho@example.com", password)
	check(t, err)
	_, kept, err := db.Password(t.Context(), "basho@example.com")
	check(t, err)
	if !strings.HasPrefix(kept, "$argon2id$v=19$m=64,t=1,p=1$") || strings.Contains(kept, password) {
		t.Errorf("kept is %s", kept)
	}
	_, err = accounts.New(db, accounts.DefaultCost).Login(t.Context(), "basho@example.com", password, "192.0.2.1")
	check(t, err)
	check(t, db.SetPassword(t.Context(), mustAccount(t, db).ID, "$argon2id$damaged"))
	_, err = people.Login(t.Context(), "basho@example.com", password, "192.0.2.1")
	wantKind(t, err, renga.Internal)
}

func mustAccount(t *testing.T, db *store.Store) renga.Account {
	t.Helper()
	a, err := db.AccountByEmail(t.Context(), "basho@example.com")
	check(t, err)
	return a
}

// guess tries wrong passwords at once, and counts those that were looked at.
func guess(t *testing.T, people *accounts.Accounts, times int, email, from func() string) (looked int) {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex // guards looked
	for range times {
		wg.Go(func() {
			_, err := people.Login(t.Context(), email(), "wrong password", from())
			mu.Lock()
			defer mu.Unlock()
			switch renga.KindOf(err) {
			case renga.Unauthorized:
				looked++
			case renga.TooMany:
			default:
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	return looked
}

func always(s string) func() string { return func() string { return s } }

func TestGuessesSlowDownTheGuesserAndKeepNobodyElseOut(t *testing.T) {
	db, people := open(t)
	for _, email := range []string{"basho@example.com", "issa@example.com"} {
		_, _, err := people.Create(t.Context(), email, password)
		check(t, err)
	}
	for _, test := range []struct {
		name            string
		from            func() string
		guesser, others string
	}{
		{"one address", always("192.0.2.1"), "192.0.2.1", "192.0.2.2"},
		{
			"a customer's many of IPv6", func() string { return "2001:db8:0:1::" + accounts.NewToken()[:4] }, "2001:db8:0:1::1",
			"2001:db8:0:2::1",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if looked := guess(t, people, 14, always("Basho@example.com"), test.from); looked < 5 || looked > 10 {
				t.Errorf("%d of 14 passwords were looked at", looked)
			}
			// A restart forgets none of it.
			_, err := accounts.New(db, cheap).Login(t.Context(), "basho@example.com", password, test.guesser)
			wantKind(t, err, renga.TooMany)
			who, err := people.Login(t.Context(), "basho@example.com", password, test.others)
			check(t, err)
			if who.Account.Email != "basho@example.com" {
				t.Errorf("logged in is %+v", who)
			}
			neighbour, err := people.Login(t.Context(), "issa@example.com", password, test.guesser)
			check(t, err)
			if neighbour.Account.Email != "issa@example.com" {
				t.Errorf("logged in is %+v", neighbour)
			}
		})
	}
}

func TestGuessesAtManyAccountsKeepNoNeighbourOut(t *testing.T) {
	_, people := open(t)
	_, _, err := people.Create(t.Context(), "basho@example.com", password)
	check(t, err)
	guess(t, people, 14, func() string { return accounts.NewToken() + "@example.com" }, always("192.0.2.1"))
	_, err = people.Login(t.Context(), "basho@example.com", password, "192.0.2.1")
	check(t, err)
}

func TestARightPasswordDoesNotCountAsATry(t *testing.T) {
	_, people := open(t)
	_, _, err := people.Create(t.Context(), "basho@example.com", password)
	check(t, err)
	for range 30 {
		_, err := people.Login(t.Context(), "basho@example.com", password, "192.0.2.1")
		check(t, err)
	}
}

func TestARegeneratedTokenLastsAsLongAgain(t *testing.T) {
	db, people := open(t)
	made, _, err := people.Create(t.Context(), "basho@example.com", password)
	check(t, err)
	grant, token, err := people.Authorize(t.Context(), renga.Bearer{Account: made}, renga.Authorization{
		Description: "robot", Scopes: renga.Scopes{renga.ScopeRegistryPull}, Lifetime: time.Hour, App: "app-hello",
	})
	check(t, err)
	again, fresh, err := people.Regenerate(t.Context(), made.ID, grant.ID)
	check(t, err)
	if again.ExpiresAt.Before(grant.ExpiresAt) || again.ExpiresAt.Sub(again.UpdatedAt) != time.Hour ||
		again.Redacted == grant.Redacted {
		t.Errorf("%+v after %+v", again, grant)
	}
	_, err = db.Bearer(t.Context(), token)
	wantKind(t, err, renga.Unauthorized)
	bearer, err := db.Bearer(t.Context(), fresh)
	check(t, err)
	if bearer.Authorization.ID != grant.ID || bearer.Authorization.App != "app-hello" ||
		bearer.Authorization.Scopes.Allow(renga.ScopeRegistryPush) {
		t.Errorf("%+v", bearer)
	}
	_, _, err = people.Regenerate(t.Context(), "another", grant.ID)
	wantKind(t, err, renga.NotFound)
}

func TestALoginWithABrowser(t *testing.T) {
	db, people := open(t)
	_, _, err := people.Create(t.Context(), "basho@example.com", password)
	check(t, err)
	l, secret, err := people.Begin(t.Context(), "a desk", "192.0.2.1")
	check(t, err)
	people = accounts.New(db, cheap) // as after a restart
	if token, err := people.Token(t.Context(), l.ID, secret); token != "" || err != nil {
		t.Errorf("before anybody logged in: %q, %v", token, err)
	}
	_, err = people.Token(t.Context(), l.ID, "wrong secret")
	wantKind(t, err, renga.NotFound)
	_, err = people.Finish(t.Context(), l.ID, "basho@example.com", "wrong password", "192.0.2.1")
	wantKind(t, err, renga.Unauthorized)
	bearer, err := people.Finish(t.Context(), l.ID, "basho@example.com", password, "192.0.2.1")
	check(t, err)
	token, err := people.Token(t.Context(), l.ID, secret)
	check(t, err)
	got, err := db.Bearer(t.Context(), token)
	check(t, err)
	if got.Authorization.ID != bearer.Authorization.ID || got.Authorization.Description != "a desk" ||
		got.Authorization.ExpiresAt.IsZero() {
		t.Errorf("the token is of %+v", got)
	}
	_, err = people.Finish(t.Context(), l.ID, "basho@example.com", password, "192.0.2.1")
	wantKind(t, err, renga.NotFound)
	_, err = people.Waiting(t.Context(), l.ID)
	wantKind(t, err, renga.NotFound)
}

// TestALoginIsFinishedOnce: of several who finish one at once the quickest does,
// and the others' leave no token behind that nobody has.
func TestALoginIsFinishedOnce(t *testing.T) {
	db, people := open(t)
	who, _, err := people.Create(t.Context(), "basho@example.com", password)
	check(t, err)
	l, secret, err := people.Begin(t.Context(), "cli", "192.0.2.1")
	check(t, err)
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = people.Finish(t.Context(), l.ID, "basho@example.com", password, "192.0.2.1")
		})
	}
	wg.Wait()
	finished := 0
	for _, err := range errs {
		if err == nil {
			finished++
			continue
		}
		wantKind(t, err, renga.NotFound)
	}
	grants, err := db.Authorizations(t.Context(), who.ID)
	check(t, err)
	if finished != 1 || len(grants) != 2 {
		t.Errorf("finished %d times, %d authorizations", finished, len(grants))
	}
	token, err := people.Token(t.Context(), l.ID, secret)
	check(t, err)
	bearer, err := db.Bearer(t.Context(), token)
	check(t, err)
	if bearer.Account.ID != who.ID {
		t.Errorf("the token is %+v's", bearer)
	}
}
