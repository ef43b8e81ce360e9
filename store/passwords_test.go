package store_test

import (
	"testing"

	"renga"
)

// A login that was under way when the password was changed opens nothing.
func TestALoginWithAFormerPasswordIsNotKept(t *testing.T) {
	s, _ := newStore(t)
	check(t, s.EnsureAccount(t.Context(), basho, "token"))
	check(t, s.SetPassword(t.Context(), basho.ID, "old"))
	login := renga.Authorization{ID: "login", Account: basho.ID, Password: renga.PasswordName("old")}
	check(t, s.SaveAuthorization(t.Context(), login, "early"))
	check(t, s.SetPassword(t.Context(), basho.ID, "new"))
	wantKind(t, s.SaveAuthorization(t.Context(), login, "late"), renga.Unauthorized)
	for _, token := range []string{"early", "late"} {
		_, err := s.Bearer(t.Context(), token)
		wantKind(t, err, renga.Unauthorized)
	}
	_, err := s.Bearer(t.Context(), "token")
	check(t, err)
}

// Of two who change a password at once, both with the right old one, one must
// try again with the one that is right by then.
func TestAPasswordIsChangedOnce(t *testing.T) {
	s, _ := newStore(t)
	check(t, s.EnsureAccount(t.Context(), basho, "token"))
	check(t, s.SetPassword(t.Context(), basho.ID, "old"))
	check(t, s.ChangePassword(t.Context(), basho.ID, "old", "first", ""))
	wantKind(t, s.ChangePassword(t.Context(), basho.ID, "old", "second", ""), renga.Conflict)
	_, hash, err := s.Password(t.Context(), basho.Email)
	check(t, err)
	if hash != "first" {
		t.Errorf("the hash is %q", hash)
	}
	wantKind(t, s.ChangePassword(t.Context(), "nobody", "", "x", ""), renga.NotFound)
}
