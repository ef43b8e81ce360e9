package releaser_test

import (
	"maps"
	"slices"
	"testing"

	"renga"
)

// stored is an image that was pushed to hello/<home>.
func stored(home renga.ProcessType, digest string) renga.Image {
	return renga.Image{
		Repository: "hello/" + string(home), Digest: digest, Pushed: digest, Config: "sha256:c" + digest[7:],
		Command: []string{"serve"},
	}
}

// only is a deploy of images by the process types that they were pushed to.
func only(images ...renga.Image) renga.Deploy {
	d := renga.Deploy{Images: map[renga.ProcessType]map[renga.ProcessType]renga.Image{}}
	for _, img := range images {
		d.Images[img.PushedTo()] = map[renga.ProcessType]renga.Image{img.PushedTo(): img}
	}
	return d
}

func TestStoredImagesAreReleasedTogether(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	d := only(stored("web", "sha256:bb"), stored("worker", "sha256:dd"))
	for range 2 { // the second time nothing changes
		rel, err := r.Deploy(t.Context(), id, d, "me")
		if err != nil || rel.Version != 3 || rel.Inputs.Images["web"].Digest != "sha256:bb" ||
			rel.Inputs.Images["worker"].Digest != "sha256:dd" {
			t.Fatalf("%+v, %v", rel, err)
		}
	}
	if said := w.records[id][2].Description; said != "Deployed web (cbb), worker (cdd)" {
		t.Errorf("it says %q", said)
	}
	rel, err := r.Deploy(t.Context(), id, renga.Deploy{Remove: []renga.ProcessType{"worker"}}, "me")
	if err != nil || rel.Description != "Removed worker" || len(rel.Inputs.Images) != 1 {
		t.Errorf("%+v, %v", rel, err)
	}
}

func TestAReleasedImageBringsWhatItDeclares(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	own, declared := stored("worker", "sha256:dd"), stored("web", "sha256:bb")
	d := only(stored("web", "sha256:bb"), own)
	d.Images["web"]["worker"], d.Images["web"]["clock"] = declared, declared
	rel, err := r.Deploy(t.Context(), id, d, "me")
	if err != nil {
		t.Fatal(err)
	}
	if types := slices.Sorted(maps.Keys(rel.Inputs.Images)); len(types) != 3 || !rel.Inputs.Images["worker"].Same(own) {
		t.Errorf("types %v, worker %+v; what is asked for by itself goes before what another declares", types,
			rel.Inputs.Images["worker"])
	}
	if rel, err = r.Deploy(t.Context(), id, only(stored("web", "sha256:ee")), "me"); err != nil ||
		len(rel.Inputs.Images) != 2 {
		t.Errorf("the clock is declared no more: %+v, %v", rel.Inputs.Images, err)
	}
}

func TestReleaseAgainMakesANewReleaseOfTheSame(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	rec, err := r.Rerelease(t.Context(), id, "Retry of v2: Deploy aa", renga.Canary{}, "me")
	if err != nil || rec.Version != 3 || rec.Images["web"].Digest != "sha256:aa" ||
		rec.Description != "Retry of v2: Deploy aa" {
		t.Errorf("%+v, %v", rec, err)
	}
}
