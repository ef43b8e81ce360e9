package store_test

import (
	"strings"
	"testing"
	"time"

	"renga/store/storetest"
)

func TestRequestsAreClaimedAndAnswered(t *testing.T) {
	db, p := newStore(t)
	ctx := t.Context()
	begin := func(holder string, lease time.Duration) (string, bool) {
		t.Helper()
		answer, began, err := db.BeginRequest(ctx, "r1", holder, lease)
		if err != nil {
			t.Fatal(err)
		}
		return string(answer), began
	}
	if _, began := begin("one", time.Minute); !began {
		t.Fatal("the first cannot begin")
	}
	if answer, began := begin("two", time.Minute); began || answer != "" {
		t.Fatalf("the second began: %v, %q", began, answer)
	}
	if err := db.DropRequest(ctx, "r1", "two"); err != nil {
		t.Fatal(err)
	}
	if _, began := begin("two", time.Minute); began {
		t.Fatal("one who does not hold a claim let it go")
	}
	if err := db.DropRequest(ctx, "r1", "one"); err != nil {
		t.Fatal(err)
	}
	if _, began := begin("two", time.Minute); !began {
		t.Fatal("a claim that was let go stays")
	}
	if err := db.AnswerRequest(ctx, "r1", []byte("secret-9d1f"), time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := db.DropRequest(ctx, "r1", "two"); err != nil {
		t.Fatal(err)
	}
	if answer, began := begin("three", time.Minute); began || answer != "secret-9d1f" {
		t.Fatalf("after the answer: %v, %q", began, answer)
	}
	kept, err := p.raw(t).Get(ctx, "renga:{platform}:answer:r1").Result()
	check(t, err)
	if strings.Contains(kept, "secret-9d1f") {
		t.Errorf("kept in clear: %q", kept)
	}
}

// TestAClaimEndsWithItsHolder: a crash blocks a repeated request for no longer
// than the lease, which whoever lives renews.
func TestAClaimEndsWithItsHolder(t *testing.T) {
	db, _ := newStore(t)
	ctx := t.Context()
	began := func(holder string, lease time.Duration) bool {
		_, began, err := db.BeginRequest(ctx, "r1", holder, lease)
		check(t, err)
		return began
	}
	if !began("one", 50*time.Millisecond) {
		t.Fatal("the first cannot begin")
	}
	check(t, db.HoldRequest(ctx, "r1", "one", time.Hour))
	check(t, db.HoldRequest(ctx, "r1", "two", 50*time.Millisecond))
	if began("two", time.Hour) {
		t.Fatal("a renewed claim lapsed")
	}
	check(t, db.HoldRequest(ctx, "r1", "one", 50*time.Millisecond))
	storetest.Poll(t, "the claim to lapse", func() bool { return began("two", time.Hour) })
}
