package store_test

import (
	"testing"
	"time"

	"renga"
)

func TestAdopt(t *testing.T) {
	const key = "renga:{platform}:platform"
	for _, test := range []struct {
		name   string
		stored map[string]any
		isNew  bool
		kind   renga.Kind
	}{
		{"empty and new", nil, true, ""},
		{"empty and not new", nil, false, renga.Unavailable},
		{"ours", map[string]any{"id": platform, "schema": 1}, false, ""},
		{"ours, asked for as new", map[string]any{"id": platform, "schema": 1}, true, ""},
		{"another's", map[string]any{"id": "other", "schema": 1}, false, renga.Conflict},
		{"another's, asked for as new", map[string]any{"id": "other", "schema": 1}, true, renga.Conflict},
		{"newer", map[string]any{"id": platform, "schema": 2}, false, renga.Invalid},
		{"half restored", map[string]any{"id": platform, "schema": 1, "restoring": 1}, false, renga.Unavailable},
		{
			"half restored, asked for as new", map[string]any{"id": platform, "schema": 1, "restoring": 1}, true,
			renga.Unavailable,
		},
		{"no schema", map[string]any{"id": platform}, false, renga.Internal},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := startRedis(t)
			if test.stored != nil {
				check(t, p.raw(t).HSet(t.Context(), key, test.stored).Err())
			}
			s := open(t, p.url())
			for range 2 { // the answer stays
				wantKind(t, s.Adopt(t.Context(), platform, test.isNew), test.kind)
			}
			if test.kind == "" {
				check(t, s.Ping(t.Context()))
			}
		})
	}
}

func TestRestoreRebuildsAppsAndIsNotTakenForWholeBefore(t *testing.T) {
	p := startRedis(t)
	s := open(t, p.url())
	wantKind(t, s.Adopt(t.Context(), platform, false), renga.Unavailable)
	a, b := newApp("haiku"), newApp("tanka")
	last := deploy(a.ID, 3)
	last.Images["worker"] = renga.Image{Digest: digestOf(9)}
	rs := []renga.ReleaseRecord{firstRelease(a), deploy(a.ID, 2), last}
	wantKind(t, s.Restore(t.Context(), platform, a, rs), renga.Unavailable) // not begun

	for range 2 { // cut short, begun again
		check(t, s.BeginRestore(t.Context(), platform))
		check(t, s.Restore(t.Context(), platform, a, rs))
		wantAllUnavailable(t, s, a)
		wantKind(t, s.Adopt(t.Context(), platform, false), renga.Unavailable)
	}
	check(t, s.Restore(t.Context(), platform, b, []renga.ReleaseRecord{firstRelease(b)}))
	check(t, s.EndRestore(t.Context(), platform))
	check(t, s.Adopt(t.Context(), platform, false))

	apps, err := s.Apps(t.Context())
	check(t, err)
	if len(apps) != 2 || !sameApp(apps[0], a) || !sameApp(apps[1], b) {
		t.Fatalf("apps %+v", apps)
	}
	d, err := s.Desired(t.Context(), a.ID)
	check(t, err)
	if version(d.Live) != 3 || d.Next != nil || d.Formation[renga.Web].Quantity != 1 ||
		d.Formation["worker"] != (renga.Scale{
			Size: renga.DefaultSize, CreatedAt: d.Formation["worker"].CreatedAt, UpdatedAt: d.Formation["worker"].UpdatedAt}) {
		t.Fatalf("%+v", d)
	}
	check(t, s.SaveDynos(t.Context(), a.ID, nil))
	commit(t, s, a.ID, 4)
}

func TestRestoreMakesOwnersAccountsAgain(t *testing.T) {
	s, _ := newStore(t)
	bob := renga.Account{
		ID: "5f9b6a0e-0000-4000-8000-000000000002", Email: "bob@example.com",
		CreatedAt: time.Now().UTC().Truncate(time.Second),
	}
	wantKind(t, s.RestoreAccount(t.Context(), platform, bob), renga.Internal) // not begun
	for range 2 {                                                             // he owns two apps
		check(t, s.BeginRestore(t.Context(), platform))
		check(t, s.RestoreAccount(t.Context(), platform, bob))
	}
	other := renga.Account{ID: "5f9b6a0e-0000-4000-8000-000000000003", Email: "BOB@example.com"}
	wantKind(t, s.RestoreAccount(t.Context(), platform, other), renga.Conflict)
	wantKind(t, s.RestoreAccount(t.Context(), "other", bob), renga.Conflict)
	check(t, s.EndRestore(t.Context(), platform))
	got, password, err := s.Password(t.Context(), "bob@example.com")
	check(t, err)
	if got.ID != bob.ID || !got.CreatedAt.Equal(bob.CreatedAt) || password != "" {
		t.Fatalf("%+v with password %q", got, password)
	}
	check(t, s.SetPassword(t.Context(), bob.ID, "hash"))
	check(t, s.BeginRestore(t.Context(), platform))
	check(t, s.RestoreAccount(t.Context(), platform, bob))
	check(t, s.EndRestore(t.Context(), platform))
	if _, password, err = s.Password(t.Context(), "bob@example.com"); err != nil || password != "hash" {
		t.Fatalf("an account that was there lost its password: %q, %v", password, err)
	}
}

func TestRestoreOverwritesNothing(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	commit(t, s, a.ID, 2)
	_,
		err := s.SetFormation(t.Context(), a.ID,
		func(f renga.Formation) error { f[renga.Web] = renga.Scale{Quantity: 7}; return nil })
	check(t, err)
	whole := []renga.ReleaseRecord{firstRelease(a), deploy(a.ID, 2)}
	wantKind(t, s.Restore(t.Context(), platform, a, whole), renga.Internal) // not begun
	wantKind(t, s.BeginRestore(t.Context(), "other"), renga.Conflict)
	check(t, s.BeginRestore(t.Context(), platform))
	check(t, s.Restore(t.Context(), platform, a, whole)) // the same: stays
	wantKind(t, s.Restore(t.Context(), platform, a, whole[:1]), renga.Conflict)
	other := deploy(a.ID, 2)
	other.Digest = digestOf(99)
	wantKind(t, s.Restore(t.Context(), platform, a, []renga.ReleaseRecord{whole[0], other}), renga.Conflict)
	b := newApp("haiku") // the name is a's
	wantKind(t, s.Restore(t.Context(), platform, b, []renga.ReleaseRecord{firstRelease(b)}), renga.Conflict)
	wantKind(t, s.Restore(t.Context(), platform, a, whole[1:]), renga.Internal) // a chain without its beginning
	check(t, s.EndRestore(t.Context(), platform))
	f, err := s.Formation(t.Context(), a.ID)
	check(t, err)
	if f[renga.Web].Quantity != 7 {
		t.Fatalf("formation %+v", f)
	}
}
