package addons_test

import (
	"strings"
	"testing"

	"renga"
	"renga/addons/provider"
	"renga/store/storetest"
)

// fakeDisks provides disks at the paths that are asked for, which web writes alone
// unless they are shared.
type fakeDisks struct{ *fakeProvider }

func (fakeDisks) Mounts(i provider.Instance) ([]renga.Mount, error) {
	o := i.AddOn.Options
	return []renga.Mount{{
		Volume: string(i.AddOn.ID), Path: o["path"], Types: []renga.ProcessType{renga.Web}, Shared: o["shared"] == "true",
	}}, nil
}

func (fakeDisks) Check(i provider.Instance) error {
	if len(i.AddOn.Apps()) > 1 && i.AddOn.Options["shared"] != "true" {
		return renga.Errorf(renga.Invalid, "Two apps would write to it.")
	}
	return nil
}

// TestADiskIsRefusedThatAnAppCannotHave, before anything of it is made.
func TestADiskIsRefusedThatAnAppCannotHave(t *testing.T) {
	f := newFixture(t)
	scale := func(n int) {
		_, err := f.db.SetFormation(t.Context(), blog, func(all renga.Formation) error {
			all[renga.Web] = renga.Scale{Quantity: n, Size: renga.DefaultSize}
			return nil
		})
		f.must(err)
	}
	asked := func(path, shared string) renga.AddOnRequest {
		return renga.AddOnRequest{Plan: "renga-disk", Options: map[string]string{"path": path, "shared": shared}}
	}
	refused := func(what string, r renga.AddOnRequest, says string) {
		t.Helper()
		before, err := f.db.AddOns(t.Context())
		f.must(err)
		_, err = f.Create(t.Context(), f.app(blog), r, ada)
		if renga.KindOf(err) != renga.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", what, err)
		}
		if after, err := f.db.AddOns(t.Context()); err != nil || len(after) != len(before) {
			t.Errorf("%s left %v, %v", what, after, err)
		}
	}
	scale(2)
	refused("beside two dynos", asked("/data", ""), "scale web to 1 first")
	pool := f.create(asked("/pool", "true"))
	scale(1)
	own := f.create(asked("/data", ""))
	refused("where another is", asked("/data", "true"), "Another disk is at /data")
	newest, err := f.apps.Newest(t.Context(), blog)
	if err != nil || len(newest.Inputs.Mounts()) != 2 {
		t.Fatalf("the app has %+v, %v", newest.Inputs.Mounts(), err)
	}

	_, err = f.Attach(t.Context(), own.ID, renga.AttachmentRequest{App: admin}, ada)
	if renga.KindOf(err) != renga.Invalid || !strings.Contains(err.Error(), "Two apps") {
		t.Errorf("one writer of two apps: %v", err)
	}
	_, err = f.Attach(t.Context(), pool.ID, renga.AttachmentRequest{App: admin}, ada)
	f.must(err)
	if newest, err = f.apps.Newest(t.Context(), admin); err != nil || len(newest.Inputs.Mounts()) != 1 {
		t.Errorf("a further app has %+v, %v", newest.Inputs.Mounts(), err)
	}
	f.must(f.Destroy(t.Context(), own.ID, false, ada))
	storetest.Poll(t, "the app to have it no more", func() bool {
		newest, err := f.apps.Newest(t.Context(), blog)
		return err == nil && len(newest.Inputs.Mounts()) == 1
	})
}
