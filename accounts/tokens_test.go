package accounts_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"renga"
	"renga/accounts"
)

// oneToken is a store that knows one token, and counts what it is asked.
type oneToken struct {
	token string
	asked atomic.Int64
	fail  error
}

func (o *oneToken) Bearer(_ context.Context, token string) (renga.Bearer, error) {
	o.asked.Add(1)
	switch {
	case o.fail != nil:
		return renga.Bearer{}, o.fail
	case token != o.token:
		return renga.Bearer{}, renga.Errorf(renga.Unauthorized, "no such token")
	}
	return renga.Bearer{Account: renga.Account{ID: "basho"}}, nil
}

// tries is a Tokens with a clock that a test moves.
type tries struct {
	*accounts.Tokens
	store *oneToken
	at    time.Time
}

func newTries() *tries {
	w := &tries{store: &oneToken{token: "right"}, at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	w.Tokens = accounts.NewTokens(w.store, func() time.Time { return w.at })
	return w
}

func (w *tries) show(t *testing.T, user, token, from string) renga.Kind {
	t.Helper()
	_, err := w.Holder(t.Context(), renga.ShownToken{User: user, Token: token, From: from})
	return renga.KindOf(err)
}

// guess shows so many tokens that do not exist, and tells how many were looked up.
func (w *tries) guess(t *testing.T, n int, user, from string) int {
	t.Helper()
	before := w.store.asked.Load()
	for i := range n {
		w.show(t, user, fmt.Sprintf("wrong %s %s %d %d", user, from, w.at.UnixNano(), i), from)
	}
	return int(w.store.asked.Load() - before)
}

func TestGuessingATokenIsSlow(t *testing.T) {
	for _, row := range []struct {
		user string
		free int
	}{{"_", 20}, {"", 20}, {"basho@example.com", 5}} {
		w := newTries()
		if got := w.guess(t, 1000, row.user, "192.0.2.1"); got != row.free {
			t.Errorf("as %q %d guesses were looked up at once, want %d", row.user, got, row.free)
		}
		if got := w.show(t, row.user, "right", "192.0.2.1"); got != renga.TooMany {
			t.Errorf("as %q the right guess at the wrong time is answered %q", row.user, got)
		}
		if got := w.show(t, row.user, "right", "192.0.2.2"); got != "" {
			t.Errorf("as %q from elsewhere: %q", row.user, got)
		}
		looked := 0
		for range 3600 { // an hour, a guess each second
			w.at = w.at.Add(time.Second)
			looked += w.guess(t, 1, row.user, "192.0.2.1")
		}
		if looked > 70 {
			t.Errorf("as %q %d guesses were looked up in an hour", row.user, looked)
		}
		w.at = w.at.Add(2 * time.Hour)
		if got := w.guess(t, 1000, row.user, "192.0.2.1"); got != row.free {
			t.Errorf("as %q after a pause %d guesses were looked up at once, want %d", row.user, got, row.free)
		}
	}
}

func TestManyGuessesAtOnceAreNoWayAround(t *testing.T) {
	w := newTries()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() { w.show(t, "_", fmt.Sprint("wrong ", i), "192.0.2.1") })
	}
	wg.Wait()
	if got := w.store.asked.Load(); got != 20 {
		t.Errorf("%d guesses were looked up, want 20", got)
	}
}

// TestAGuesserKeepsNoNeighbourOut who used their token from that address before, and
// slows nobody down by names of accounts.
func TestAGuesserKeepsNoNeighbourOut(t *testing.T) {
	w := newTries()
	if got := w.show(t, "_", "right", "2001:db8::1"); got != "" {
		t.Fatal(got)
	}
	w.guess(t, 100, "_", "2001:db8::2") // the same /64
	w.guess(t, 100, "basho@example.com", "192.0.2.7")
	for range 100 {
		if got := w.show(t, "_", "right", "2001:db8::1"); got != "" {
			t.Fatalf("the neighbour is answered %q", got)
		}
	}
	if got := w.show(t, "_", "new", "2001:db8::3"); got != renga.TooMany {
		t.Errorf("a third address of the /64: %q", got)
	}
	if got := w.show(t, "basho@example.com", "right", "192.0.2.8"); got != "" {
		t.Errorf("the account's owner elsewhere: %q", got)
	}
}

func TestWhatIsNoGuessDoesNotCount(t *testing.T) {
	w := newTries()
	for range 100 { // an old script, with a token that was revoked
		if got := w.show(t, "_", "revoked", "192.0.2.1"); got != renga.Unauthorized {
			t.Fatal(got)
		}
	}
	w.store.fail = renga.Errorf(renga.Unavailable, "Redis is away.")
	for i := range 100 {
		if got := w.show(t, "_", fmt.Sprint("unlucky ", i), "192.0.2.1"); got != renga.Unavailable {
			t.Fatal(got)
		}
	}
	w.store.fail = nil
	if got := w.show(t, "_", "right", "192.0.2.1"); got != "" {
		t.Error(got)
	}
}
