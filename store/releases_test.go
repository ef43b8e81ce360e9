package store_test

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"renga"
	"renga/store"
)

func TestCommitMakesReleaseCurrentFillsFormationAndSupersedes(t *testing.T) {
	s, p := newStore(t)
	a := createApp(t, s, "haiku")
	check(t, s.Commit(t.Context(), deploy(a.ID, 2), "push-2", webFill()))
	_, err := s.SetFormation(t.Context(), a.ID, func(f renga.Formation) error {
		f[renga.Web] = renga.Scale{Quantity: 3, Size: "eco"}
		return nil
	})
	check(t, err)
	fill := webFill()
	fill["worker"] = renga.Scale{Quantity: 0, Size: renga.DefaultSize}
	want := deploy(a.ID, 3)
	want.Plans = []string{"renga-disk:basic"}
	want.Mounts = []renga.Mount{{Volume: "v", Path: "/data", Types: []renga.ProcessType{renga.Web}, Shared: true}}
	check(t, s.Commit(t.Context(), want, "push-3", fill))

	h, err := s.Head(t.Context(), a.ID)
	check(t, err)
	want.Current = true
	want.Outcome = h.Outcome
	if h.Outcome.Status != renga.Pending || h.Outcome.At.IsZero() || !reflect.DeepEqual(h, want) {
		t.Fatalf("head %+v, want %+v", h, want)
	}
	v2, err := s.Release(t.Context(), a.ID, 2)
	check(t, err)
	if v2.Outcome.Status != renga.Superseded || v2.Outcome.Reason != "superseded by v3 before its dynos were up" {
		t.Fatalf("v2 is %+v", v2.Outcome)
	}
	v1, err := s.Release(t.Context(), a.ID, 1)
	check(t, err)
	if !v1.Live || v1.Current {
		t.Fatalf("v1 is %+v", v1)
	}
	f, err := s.Formation(t.Context(), a.ID)
	check(t, err)
	if f[renga.Web].Quantity != 3 || f["worker"].Size != renga.DefaultSize || f["worker"].CreatedAt.IsZero() ||
		len(f) != 2 {
		t.Fatalf("formation %+v", f)
	}
	for push, version := range map[string]int{"push-2": 2, "push-3": 3} {
		got, err := s.ReleaseByPush(t.Context(), a.ID, push)
		if err != nil || got != version {
			t.Fatalf("push %s: v%d, %v", push, got, err)
		}
	}
	_, err = s.ReleaseByPush(t.Context(), a.ID, "push-9")
	wantKind(t, err, renga.NotFound)
	ttl := p.raw(t).TTL(t.Context(), "renga:{"+string(a.ID)+"}:push:push-2").Val()
	if ttl < 29*24*time.Hour || ttl > 30*24*time.Hour {
		t.Fatalf("push id is kept for %v", ttl)
	}
}

func TestCommitOfSucceededReleaseIsLiveAtOnce(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	r := deploy(a.ID, 2)
	r.Outcome = renga.Outcome{Status: renga.Succeeded, Reason: "no dynos wanted"}
	check(t, s.Commit(t.Context(), r, "", nil))
	h, err := s.Head(t.Context(), a.ID)
	check(t, err)
	if !h.Live || !h.Current || h.Outcome.Reason != "no dynos wanted" {
		t.Fatalf("%+v", h)
	}
}

func TestCommitRefusesGapsAndRepeatsButNotItself(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	r := commit(t, s, a.ID, 2)
	check(t, s.Commit(t.Context(), r, "push-2", nil)) // the same once more
	other := r
	other.Digest = digestOf(77)
	wantKind(t, s.Commit(t.Context(), other, "", nil), renga.Conflict)
	wantKind(t, s.Commit(t.Context(), deploy(a.ID, 4), "", nil), renga.Conflict)
	wantKind(t, s.Commit(t.Context(), deploy("nobody", 2), "", nil), renga.NotFound)

	_, err := s.UpdateApp(t.Context(), a.ID, func(a *renga.App) error { a.Deleting = true; return nil })
	check(t, err)
	wantKind(t, s.Commit(t.Context(), deploy(a.ID, 3), "", nil), renga.Conflict)
}

func TestTwoWritersRaceWithoutGapOrDouble(t *testing.T) {
	s, p := newStore(t)
	other := open(t, p.url())
	a := createApp(t, s, "haiku")
	const each = 40
	won := make([]map[int]string, 4)
	var wg sync.WaitGroup
	for w := range won {
		won[w] = map[int]string{}
		db := []*store.Store{s, other}[w%2]
		wg.Go(func() {
			for len(won[w]) < each && !t.Failed() {
				h, err := db.Head(t.Context(), a.ID)
				if err != nil {
					t.Error(err)
					return
				}
				r := deploy(a.ID, h.Version+1)
				r.Digest = digestOf(w*100000 + r.Version)
				switch err := db.Commit(t.Context(), r, "", nil); {
				case err == nil:
					won[w][r.Version] = r.Digest
				case renga.KindOf(err) != renga.Conflict:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	rs, err := s.Releases(t.Context(), a.ID, renga.ReleaseQuery{From: 2})
	check(t, err)
	if len(rs) != each*len(won) {
		t.Fatalf("%d releases, want %d", len(rs), each*len(won))
	}
	for i, r := range rs {
		owners := 0
		for _, mine := range won {
			if mine[r.Version] == r.Digest {
				owners++
			}
		}
		if r.Version != i+2 || owners != 1 {
			t.Fatalf("release %d is v%d, acknowledged by %d writers", i, r.Version, owners)
		}
	}
}

func TestReleasesReadsTheWindowAskedFor(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	for v := 2; v <= 6; v++ {
		commit(t, s, a.ID, v)
	}
	for _, test := range []struct {
		q    renga.ReleaseQuery
		want []int
	}{
		{renga.ReleaseQuery{}, []int{1, 2, 3, 4, 5, 6}},
		{renga.ReleaseQuery{Descending: true}, []int{6, 5, 4, 3, 2, 1}},
		{renga.ReleaseQuery{From: 3, To: 5}, []int{3, 4, 5}},
		{renga.ReleaseQuery{From: 3, To: 5, Descending: true, Max: 2}, []int{5, 4}},
		{renga.ReleaseQuery{From: 3, Max: 2}, []int{3, 4}},
		{renga.ReleaseQuery{To: 2}, []int{1, 2}},
		{renga.ReleaseQuery{From: 5, To: 100}, []int{5, 6}},
		{renga.ReleaseQuery{From: 7}, []int{}},
		{renga.ReleaseQuery{From: 5, To: 4}, []int{}},
		{renga.ReleaseQuery{From: -3, To: 1}, []int{1}},
	} {
		rs, err := s.Releases(t.Context(), a.ID, test.q)
		check(t, err)
		got := []int{}
		for _, r := range rs {
			got = append(got, r.Version)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%+v: %v, want %v", test.q, got, test.want)
		}
	}
	for _, v := range []int{-1, 0, 7} {
		_, err := s.Release(t.Context(), a.ID, v)
		wantKind(t, err, renga.NotFound)
	}
}

func TestSetOutcomeOnlyMovesForward(t *testing.T) {
	s, _ := newStore(t)
	for i, test := range []struct {
		from, to renga.ReleaseStatus
		kind     renga.Kind
		live     int
	}{
		{renga.Pending, renga.Succeeded, "", 2},
		{renga.Pending, renga.Failed, "", 1},
		{renga.Pending, renga.Superseded, "", 1},
		{renga.Pending, renga.Pending, "", 1},
		{renga.Failed, renga.Succeeded, "", 2},
		{renga.Failed, renga.Failed, "", 1},
		{renga.Failed, renga.Pending, renga.Conflict, 1},
		{renga.Failed, renga.Superseded, renga.Conflict, 1},
		{renga.Succeeded, renga.Failed, renga.Conflict, 2},
		{renga.Succeeded, renga.Pending, renga.Conflict, 2},
		{renga.Succeeded, renga.Succeeded, "", 2},
		{renga.Superseded, renga.Succeeded, renga.Conflict, 1},
		{renga.Superseded, renga.Failed, renga.Conflict, 1},
		{renga.Superseded, renga.Superseded, "", 1},
	} {
		t.Run(fmt.Sprintf("%s to %s", test.from, test.to), func(t *testing.T) {
			a := createApp(t, s, fmt.Sprintf("haiku-%d", i))
			commit(t, s, a.ID, 2)
			setStatus(t, s, a.ID, 2, test.from)
			first, err := s.Release(t.Context(), a.ID, 2)
			check(t, err)
			o := renga.Outcome{Status: test.to, Reason: "why", Log: []string{"a", "b"}, At: time.Unix(9, 9).UTC()}
			wantKind(t, s.SetOutcome(t.Context(), a.ID, 2, o), test.kind)
			r, err := s.Release(t.Context(), a.ID, 2)
			check(t, err)
			if test.kind != "" || test.from == test.to {
				o = first.Outcome
			}
			if !reflect.DeepEqual(r.Outcome, o) || r.Live != (test.live == 2) {
				t.Fatalf("outcome %+v, live %v; want %+v, live v%d", r.Outcome, r.Live, o, test.live)
			}
		})
	}
	a := createApp(t, s, "tanka")
	wantKind(t, s.SetOutcome(t.Context(), a.ID, 2, renga.Outcome{Status: renga.Failed}), renga.NotFound)
	wantKind(t, s.SetOutcome(t.Context(), "nobody", 1, renga.Outcome{Status: renga.Failed}), renga.NotFound)
}

// TestAReleasesPhaseMovesOnAndStays: beside the status while the release is
// pending, and never after. A release whose command failed is never served, not
// even for want of a better one.
func TestAReleasesPhaseMovesOnAndStays(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	commit(t, s, a.ID, 2)
	phase := func(o renga.Outcome, want renga.ReleasePhase) {
		t.Helper()
		check(t, s.SetOutcome(t.Context(), a.ID, 2, o))
		r, err := s.Release(t.Context(), a.ID, 2)
		check(t, err)
		if r.Outcome.Phase != want {
			t.Fatalf("after %+v the phase is %q; want %q", o, r.Outcome.Phase, want)
		}
	}
	phase(renga.Outcome{Status: renga.Pending, Phase: renga.PhaseBegun}, renga.PhaseBegun)
	phase(renga.Outcome{Status: renga.Pending}, renga.PhaseBegun)
	d, err := s.Desired(t.Context(), a.ID)
	check(t, err)
	if d.Next == nil || d.Next.Outcome.Phase != renga.PhaseBegun {
		t.Fatalf("next is %+v", d.Next)
	}
	phase(renga.Outcome{Status: renga.Failed, Phase: renga.PhaseFailed}, renga.PhaseFailed)
	phase(renga.Outcome{Status: renga.Failed, Phase: renga.PhasePassed}, renga.PhaseFailed)
	if d, err = s.Desired(t.Context(), a.ID); err != nil || d.Live != nil || d.Next != nil {
		t.Fatalf("a release whose command failed is served: %+v, %v", d, err)
	}
}

func TestLateSuccessOfOlderReleaseDoesNotTakeLive(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	commit(t, s, a.ID, 2)
	setStatus(t, s, a.ID, 2, renga.Failed)
	commit(t, s, a.ID, 3)
	setStatus(t, s, a.ID, 3, renga.Succeeded)
	setStatus(t, s, a.ID, 2, renga.Succeeded)
	r, err := s.Release(t.Context(), a.ID, 3)
	check(t, err)
	if !r.Live {
		t.Fatal("v3 lost its place to v2")
	}
}

func TestDesired(t *testing.T) {
	type step struct {
		images bool
		status renga.ReleaseStatus
	}
	for _, test := range []struct {
		name       string
		steps      []step // v2, v3, …
		live, next int
	}{
		{"nothing deployed", nil, 0, 0},
		{"config only", []step{{false, renga.Succeeded}}, 0, 0},
		{"first deploy under way", []step{{true, renga.Pending}}, 0, 2},
		{"first deploy up", []step{{true, renga.Succeeded}}, 2, 0},
		{"first deploy failed", []step{{true, renga.Failed}}, 2, 0},
		{"failed without images", []step{{false, renga.Failed}}, 0, 0},
		{"second under way", []step{{true, renga.Succeeded}, {true, renga.Pending}}, 2, 3},
		{"second failed", []step{{true, renga.Succeeded}, {true, renga.Failed}}, 2, 0},
		{
			"second failed, third under way", []step{{true, renga.Succeeded}, {true, renga.Failed}, {true, renga.Pending}}, 2, 4,
		},
		{"two failed", []step{{true, renga.Failed}, {true, renga.Failed}}, 3, 0},
		{"failed, then pending", []step{{true, renga.Failed}, {true, renga.Pending}}, 0, 3},
		{"pending without images", []step{{false, renga.Pending}}, 0, 2},
		{"superseded, then up", []step{{true, renga.Pending}, {true, renga.Succeeded}}, 3, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := newStore(t)
			a := createApp(t, s, "haiku")
			for i, st := range test.steps {
				r := deploy(a.ID, i+2)
				if !st.images {
					r.Images = nil
				}
				check(t, s.Commit(t.Context(), r, "", webFill()))
				setStatus(t, s, a.ID, i+2, st.status)
			}
			check(t, s.Restart(t.Context(), a.ID, "web.1"))
			d, err := s.Desired(t.Context(), a.ID)
			check(t, err)
			if version(d.Live) != test.live || version(d.Next) != test.next {
				t.Fatalf("live v%d, next v%d; want v%d, v%d", version(d.Live), version(d.Next), test.live, test.next)
			}
			if !sameApp(d.App, a) || time.Since(d.Restarts["web.1"]) > time.Minute ||
				len(test.steps) > 0 && d.Formation[renga.Web].Quantity != 1 {
				t.Fatalf("%+v", d)
			}
		})
	}
}

func version(r *renga.ReleaseRecord) int {
	if r == nil {
		return 0
	}
	return r.Version
}
