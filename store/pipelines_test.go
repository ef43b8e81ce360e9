package store_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/store"
)

func newPipeline(name string, owner renga.AccountID) renga.Pipeline {
	at := time.Now().UTC().Truncate(time.Second)
	return renga.Pipeline{ID: renga.PipelineID(uuid.NewString()), Name: name, Owner: owner, CreatedAt: at, UpdatedAt: at}
}

func createPipeline(t *testing.T, s *store.Store, name string, owner renga.AccountID) renga.Pipeline {
	t.Helper()
	p := newPipeline(name, owner)
	check(t, s.CreatePipeline(t.Context(), p))
	return p
}

func couple(t *testing.T, s *store.Store, id renga.PipelineID, app renga.AppID, stage renga.Stage) error {
	t.Helper()
	_, err := s.UpdatePipeline(t.Context(), id, func(p *renga.Pipeline) error {
		p.Couplings = append(p.Couplings, renga.Coupling{ID: uuid.NewString(), App: app, Stage: stage})
		return nil
	})
	return err
}

// pipelinesOf reads an account's own pipelines and those of the apps.
func pipelinesOf(t *testing.T, s *store.Store, owner renga.AccountID, apps ...renga.AppID) []renga.Pipeline {
	t.Helper()
	all, err := s.Pipelines(t.Context(), owner, apps)
	check(t, err)
	return all
}

func TestPipelineNamesAreUniquePerOwner(t *testing.T) {
	s, _ := newStore(t)
	first := createPipeline(t, s, "shop", "ada")
	wantKind(t, s.CreatePipeline(t.Context(), newPipeline("shop", "ada")), renga.Conflict)
	theirs := createPipeline(t, s, "shop", "bob")
	_, err := s.UpdatePipeline(t.Context(), theirs.ID, func(p *renga.Pipeline) error {
		p.Owner = "ada"
		return nil
	})
	wantKind(t, err, renga.Conflict)
	check(t, s.DeletePipeline(t.Context(), first.ID))
	wantKind(t, s.DeletePipeline(t.Context(), first.ID), renga.NotFound)
	all := append(pipelinesOf(t, s, "ada"), pipelinesOf(t, s, "bob")...)
	if len(all) != 1 || all[0].ID != theirs.ID || all[0].Owner != "bob" {
		t.Fatalf("pipelines are %+v", all)
	}
}

func TestAnAccountHasAHundredPipelines(t *testing.T) {
	s, _ := newStore(t)
	for n := range 100 {
		createPipeline(t, s, fmt.Sprint("ada", n), "ada")
	}
	theirs := createPipeline(t, s, "bobs", "bob")
	wantKind(t, s.CreatePipeline(t.Context(), newPipeline("more", "ada")), renga.Invalid)
	give := func(to renga.AccountID) error {
		_, err := s.UpdatePipeline(t.Context(), theirs.ID, func(p *renga.Pipeline) error {
			p.Owner = to
			return nil
		})
		return err
	}
	wantKind(t, give("ada"), renga.Invalid) // nor is one given to her
	check(t, give("carol"))
	first := pipelinesOf(t, s, "ada")[0]
	check(t, couple(t, s, first.ID, "app", "staging")) // what she has can be changed
	check(t, s.DeletePipeline(t.Context(), first.ID))
	createPipeline(t, s, "more", "ada")
}

func TestAnAppIsInOnePipeline(t *testing.T) {
	s, _ := newStore(t)
	one, two := createPipeline(t, s, "one", "ada"), createPipeline(t, s, "two", "ada")
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, id := range []renga.PipelineID{one.ID, two.ID} {
		wg.Go(func() { errs[i] = couple(t, s, id, "app", "staging") })
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("errors are %v", errs)
	}
	wantKind(t, couple(t, s, one.ID, "app", "production"), renga.Conflict)
}

func TestRemovingAnAppTakesItOutOfItsPipeline(t *testing.T) {
	s, _ := newStore(t)
	a, b := createApp(t, s, "staging"), createApp(t, s, "shop")
	p := createPipeline(t, s, "shop", "ada")
	check(t, couple(t, s, p.ID, a.ID, "staging"))
	check(t, couple(t, s, p.ID, b.ID, "production"))
	check(t, s.RemoveApp(t.Context(), a.ID))
	all := pipelinesOf(t, s, "nobody", a.ID, b.ID)
	if len(all) != 1 || len(all[0].Couplings) != 1 || all[0].Couplings[0].App != b.ID ||
		all[0].Couplings[0].Stage != "production" {
		t.Fatalf("couplings are %+v", all[0].Couplings)
	}
}

func TestStageVarsAreSealedAndGoWithThePipeline(t *testing.T) {
	s, p := newStore(t)
	pipe := createPipeline(t, s, "shop", "ada")
	set := func(vars renga.Vars) error {
		vars["TOKEN"] = "s3cret-value"
		return nil
	}
	_, err := s.SetPipelineVars(t.Context(), pipe.ID, "review", set)
	check(t, err)
	vars, err := s.PipelineVars(t.Context(), pipe.ID, "review")
	check(t, err)
	other, err := s.PipelineVars(t.Context(), pipe.ID, "test")
	check(t, err)
	if vars["TOKEN"] != "s3cret-value" || len(other) != 0 {
		t.Fatalf("vars are %v and %v", vars.Names(), other.Names())
	}
	check(t, couple(t, s, pipe.ID, "app", "staging"))
	if vars, err := s.PipelineVars(t.Context(), pipe.ID, "review"); err != nil || len(vars) != 1 {
		t.Fatalf("a coupling lost the vars: %v, %v", vars.Names(), err)
	}
	wantNoSecret(t, p, "s3cret-value")
	check(t, s.DeletePipeline(t.Context(), pipe.ID))
	_, err = s.PipelineVars(t.Context(), pipe.ID, "review")
	wantKind(t, err, renga.NotFound)
}

// wantNoSecret looks for a text in all that Redis has on disk.
func wantNoSecret(t *testing.T, p *process, secret string) {
	t.Helper()
	check(t, filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("%s holds %q", path, secret)
		}
		return err
	}))
}

func promotion(at time.Time, targets ...renga.AppID) renga.Promotion {
	p := renga.Promotion{
		ID: uuid.NewString(), Pipeline: "pipeline", Source: "staging", Release: 3, By: "ada", CreatedAt: at, UpdatedAt: at,
	}
	for _, app := range targets {
		p.Targets = append(p.Targets, renga.PromotionTarget{ID: uuid.NewString(), App: app})
	}
	return p
}

func TestPromotionsAreOpenUntilEachTargetIsSettled(t *testing.T) {
	s, _ := newStore(t)
	old := promotion(time.Now().UTC().Add(-8*24*time.Hour), "shop")
	p := promotion(time.Now().UTC(), "shop", "shop-eu")
	check(t, s.AddPromotion(t.Context(), old))
	check(t, s.AddPromotion(t.Context(), p))
	_, err := s.Promotion(t.Context(), old.ID)
	wantKind(t, err, renga.NotFound) // long forgotten
	settled := []renga.PromotionTarget{
		{ID: p.Targets[0].ID, App: "shop", Release: 7}, {ID: p.Targets[1].ID, App: "shop-eu", Failure: "no"},
	}
	for _, target := range settled {
		open, err := s.OpenPromotions(t.Context())
		check(t, err)
		if len(open) != 1 || open[0].ID != p.ID {
			t.Fatalf("open are %+v", open)
		}
		check(t, s.SetPromotionTarget(t.Context(), p.ID, target))
	}
	open, err := s.OpenPromotions(t.Context())
	check(t, err)
	got, err := s.Promotion(t.Context(), p.ID)
	check(t, err)
	if len(open) != 0 || got.Targets[0] != settled[0] || got.Targets[1] != settled[1] {
		t.Fatalf("open %+v, got %+v", open, got)
	}
	wantKind(t, s.SetPromotionTarget(t.Context(), uuid.NewString(), settled[0]), renga.NotFound)
}
