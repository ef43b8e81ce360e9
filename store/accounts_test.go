package store_test

import (
	"strings"
	"testing"
	"time"

	"renga"
)

func TestAccountIsFoundByItsTokenWhichIsStoredAsHashOnly(t *testing.T) {
	s, p := newStore(t)
	a := renga.Account{
		ID: "acc", Email: "basho@example.com", CreatedAt: time.Unix(5, 7).UTC(), UpdatedAt: time.Unix(5, 7).UTC(),
	}
	check(t, s.EnsureAccount(t.Context(), a, "token-marker-1"))
	later := a
	later.CreatedAt, later.UpdatedAt = time.Unix(99, 0), time.Unix(99, 0)
	check(t, s.EnsureAccount(t.Context(), later, "token-marker-1"))
	check(t, s.EnsureAccount(t.Context(), later, "token-marker-2"))

	bearer, err := s.Bearer(t.Context(), "token-marker-2")
	check(t, err)
	if grant := bearer.Authorization; bearer.Account != a || !grant.Default || !grant.Scopes.Allow(renga.ScopeGlobal) {
		t.Fatalf("got %+v, want %+v with all rights", bearer, a)
	}
	_, err = s.Bearer(t.Context(), "token-marker-1") // the other one took its place
	wantKind(t, err, renga.Unauthorized)
	got, err := s.Account(t.Context(), "acc")
	check(t, err)
	if got != a {
		t.Fatalf("got %+v", got)
	}
	_, err = s.Bearer(t.Context(), "wrong")
	wantKind(t, err, renga.Unauthorized)
	_, err = s.Account(t.Context(), "nobody")
	wantKind(t, err, renga.NotFound)
	wantKind(t, s.EnsureAccount(t.Context(), renga.Account{ID: "other"}, "token-marker-2"), renga.Conflict)

	raw := p.raw(t)
	keys, err := raw.Keys(t.Context(), "*").Result()
	check(t, err)
	for _, key := range keys {
		dump, err := raw.Dump(t.Context(), key).Result()
		check(t, err)
		if strings.Contains(key+dump, "token-marker") {
			t.Fatalf("the token itself is in %s", key)
		}
	}
}
