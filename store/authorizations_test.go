package store_test

import (
	"testing"
	"time"

	"renga"
)

var basho = renga.Account{
	ID: "acc", Email: "Basho@example.com", CreatedAt: time.Unix(5, 0).UTC(), UpdatedAt: time.Unix(5, 0).UTC(),
}

func TestARevokedTokenStaysRevoked(t *testing.T) {
	s, _ := newStore(t)
	check(t, s.EnsureAccount(t.Context(), basho, "token"))
	b, err := s.Bearer(t.Context(), "token")
	check(t, err)
	check(t, s.DeleteAuthorization(t.Context(), basho.ID, b.Authorization.ID))
	wantKind(t, s.DeleteAuthorization(t.Context(), basho.ID, b.Authorization.ID), renga.NotFound)
	check(t, s.EnsureAccount(t.Context(), basho, "token")) // as every start does
	_, err = s.Bearer(t.Context(), "token")
	wantKind(t, err, renga.Unauthorized)
}

func TestTokensOlderThanAuthorizationsAreAdopted(t *testing.T) {
	s, p := newStore(t)
	check(t, s.EnsureAccount(t.Context(), basho, "token"))
	raw := p.raw(t)
	keys, err := raw.Keys(t.Context(), "renga:{platform}:token:*").Result()
	check(t, err)
	check(t, raw.Set(t.Context(), keys[0], string(basho.ID), 0).Err())
	check(t, raw.Del(t.Context(), "renga:{platform}:grants:acc", "renga:{platform}:email:basho@example.com").Err())
	check(t, raw.Set(t.Context(), "renga:{platform}:account:acc", `{"id":"acc","email":"Basho@example.com"}`, 0).Err())

	for range 2 {
		b, err := s.Bearer(t.Context(), "token")
		check(t, err)
		if b.Account.ID != basho.ID || !b.Authorization.Default || b.Authorization.ID == "" {
			t.Fatalf("got %+v", b)
		}
	}
	if _, err := s.AccountByEmail(t.Context(), "basho@EXAMPLE.com"); err != nil {
		t.Error(err)
	}
}

func TestAuthorizationsThatAreOverGo(t *testing.T) {
	s, p := newStore(t)
	check(t, s.EnsureAccount(t.Context(), basho, "token"))
	short := renga.Authorization{ID: "short", Account: basho.ID, ExpiresAt: time.Now().Add(-time.Second)}
	check(t, s.SaveAuthorization(t.Context(), short, "short token"))
	_, err := s.Bearer(t.Context(), "short token")
	wantKind(t, err, renga.Unauthorized)
	all, err := s.Authorizations(t.Context(), basho.ID)
	check(t, err)
	if len(all) != 1 {
		t.Errorf("listed are %+v", all)
	}
	check(t, s.SaveAuthorization(t.Context(), renga.Authorization{ID: "next", Account: basho.ID}, "next token"))
	if n := p.raw(t).HLen(t.Context(), "renga:{platform}:grants:acc").Val(); n != 2 {
		t.Errorf("%d authorizations are kept, want 2", n)
	}
}

func TestAnEditOfAnAuthorizationKeepsItsToken(t *testing.T) {
	s, _ := newStore(t)
	check(t, s.EnsureAccount(t.Context(), basho, "token"))
	b, err := s.Bearer(t.Context(), "token")
	check(t, err)
	_, err = s.UpdateAuthorization(t.Context(), basho.ID, b.Authorization.ID, func(a *renga.Authorization) error {
		a.Description = "renamed"
		return nil
	})
	check(t, err)
	b, err = s.Bearer(t.Context(), "token")
	check(t, err)
	if b.Authorization.Description != "renamed" {
		t.Errorf("got %+v", b.Authorization)
	}
	_, err = s.ReplaceToken(t.Context(), "another", b.Authorization.ID, "stolen")
	wantKind(t, err, renga.NotFound)
}

func TestCollaboratorsAreKeptWithTheApp(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	c := renga.Collaborator{
		ID: "c", Account: basho.ID, Permissions: []renga.Permission{renga.MayDeploy, renga.MayView},
		CreatedAt: time.Unix(5, 0).UTC(), UpdatedAt: time.Unix(5, 0).UTC(),
	}
	_, err := s.UpdateApp(t.Context(), a.ID, func(a *renga.App) error {
		a.Collaborators = map[renga.AccountID]renga.Collaborator{basho.ID: c}
		return nil
	})
	check(t, err)
	a, err = s.App(t.Context(), a.ID)
	check(t, err)
	check(t, a.Permit(basho.ID, renga.MayDeploy))
	wantKind(t, a.Permit(basho.ID, renga.MayOperate), renga.Forbidden)
	wantKind(t, a.Permit("stranger", renga.MayView), renga.Forbidden)
	check(t, a.Permit(a.Owner, renga.MayManage))
}
