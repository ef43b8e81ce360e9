package releaser_test

import (
	"context"
	"testing"
	"time"

	"renga"
	"renga/releaser"
)

// promotable is a fixture with staging, whose v2 serves, and shop.
func promotable(t *testing.T) (w *fixture, r *releaser.Releaser, p renga.Promotion) {
	t.Helper()
	w, r = newFixture()
	source := w.mustPush(t, r, push("p1", "staging", "sha256:aa"))
	w.records[source][1].Outcome.Status = renga.Succeeded
	change(t, r, source, setVar("STAGE", "staging"))
	w.mustPush(t, r, push("p2", "staging", "sha256:ff")) // not up yet: v4
	target := w.mustPush(t, r, push("p3", "shop", "sha256:bb"))
	change(t, r, target, setVar("STAGE", "production"))
	return w, r, renga.Promotion{
		ID: "promotion", Source: source, Release: 2, By: "me", CreatedAt: time.Now(),
		Targets: []renga.PromotionTarget{{ID: "t1", App: target}},
	}
}

func TestPromotionTakesTheImagesAndNothingElse(t *testing.T) {
	w, r, p := promotable(t)
	live, err := r.Promotable(t.Context(), p.Source)
	if err != nil || live.Version != 2 {
		t.Fatalf("promotable is %+v, %v", live, err)
	}
	for i, want := range []int{4, 4, 5} { // the same target makes one release, another a new one
		target := p.Targets[0]
		if i == 2 {
			target.ID = "t2"
		}
		rel, err := r.Promote(t.Context(), p, target)
		if err != nil || rel.Version != want || rel.Description != "Promote staging v2 aa" {
			t.Fatalf("%+v, %v", rel, err)
		}
		in := w.opened[rel.Digest].Inputs
		if in.Images["web"].Digest != "sha256:aa" || in.Images["web"].Repository != "shop/web" ||
			in.Vars["STAGE"] != "production" {
			t.Errorf("released %+v", in)
		}
	}
	if len(w.links) != 2 || w.links[0] != "staging to shop: 1" {
		t.Errorf("linked %q", w.links)
	}
}

func TestWhatNeverServedIsNotPromotable(t *testing.T) {
	w, r := newFixture()
	source := w.mustPush(t, r, push("p1", "staging", "sha256:aa"))
	if _, err := r.Promotable(t.Context(), source); renga.KindOf(err) != renga.Invalid {
		t.Errorf("error is %v", err)
	}
}

// fakePromotions keeps promotions in memory, and tells what became of targets.
type fakePromotions struct {
	releaser.Promotions
	open    []renga.Promotion
	settled chan renga.PromotionTarget
}

func (a *fakePromotions) OpenPromotions(context.Context) ([]renga.Promotion, error) {
	return a.open, nil
}

func (a *fakePromotions) SetPromotionTarget(_ context.Context, _ string, t renga.PromotionTarget) error {
	a.open = nil
	a.settled <- t
	return nil
}

// runOnce runs a Promoter until the first target is settled.
func runOnce(t *testing.T, a *fakePromotions, r *releaser.Releaser) renga.PromotionTarget {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- releaser.NewPromoter(a, r).Run(ctx) }()
	settled := <-a.settled
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return settled
}

func TestAPromotionCutShortIsCarriedOnWithoutASecondRelease(t *testing.T) {
	w, r, p := promotable(t)
	first, err := r.Promote(t.Context(), p, p.Targets[0]) // and then Renga died
	if err != nil {
		t.Fatal(err)
	}
	got := runOnce(t, &fakePromotions{open: []renga.Promotion{p}, settled: make(chan renga.PromotionTarget, 1)}, r)
	if got.Release != first.Version || len(w.records[got.App]) != first.Version {
		t.Errorf("settled %+v, %d releases, want %d", got, len(w.records[got.App]), first.Version)
	}
}

func TestATargetThatCannotBeReleasedSaysWhy(t *testing.T) {
	_, r, p := promotable(t)
	for what, spoil := range map[string]func(*renga.Promotion){
		"no app gone":  func(p *renga.Promotion) { p.Targets[0].App = "gone" },
		"no app away":  func(p *renga.Promotion) { p.Source = "away" },
		"no release 9": func(p *renga.Promotion) { p.Release = 9 },
	} {
		spoilt := p
		spoilt.Targets = []renga.PromotionTarget{{ID: "x", App: p.Targets[0].App}}
		spoil(&spoilt)
		got := runOnce(t, &fakePromotions{open: []renga.Promotion{spoilt}, settled: make(chan renga.PromotionTarget, 1)}, r)
		if got.Failure != what || got.Release != 0 {
			t.Errorf("settled %+v, want failure %q", got, what)
		}
	}
}

// TestARightThatEndsMeanwhileStopsAPromotion: it is asked for again when the
// promotion is carried out.
func TestARightThatEndsMeanwhileStopsAPromotion(t *testing.T) {
	for what, end := range map[string]func(from, to *renga.App){
		"You do not have access to the app shop.":    func(_, to *renga.App) { to.Owner = "somebody" },
		"You do not have access to the app staging.": func(from, _ *renga.App) { from.Owner = "somebody" },
		"Whoever owns the app shop may not see the app staging, whose images they would get; share it with them " +
			"first.": func(_, to *renga.App) {
			to.Owner = "somebody"
			to.Collaborators = map[renga.AccountID]renga.Collaborator{"me": {
				Account: "me", Permissions: []renga.Permission{renga.MayDeploy, renga.MayView},
			}}
		},
	} {
		w, r, p := promotable(t)
		from, to := w.apps[p.Source], w.apps[p.Targets[0].App]
		end(&from, &to)
		w.apps[p.Source], w.apps[to.ID] = from, to
		got := runOnce(t, &fakePromotions{open: []renga.Promotion{p}, settled: make(chan renga.PromotionTarget, 1)}, r)
		if got.Failure != what || got.Release != 0 || len(w.links) > 0 {
			t.Errorf("settled %+v, want failure %q; linked %q", got, what, w.links)
		}
	}
}
