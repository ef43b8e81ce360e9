package registry_test

import (
	"fmt"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"renga"
)

func TestEveryStoredImageIsFound(t *testing.T) {
	w := newFixture(t)
	old, newer := image(t), image(t)
	w.push(t, "hello/web:latest", old)
	w.push(t, "hello/web:kept", old)
	w.push(t, "hello/web:latest", newer)
	for _, img := range []v1.Image{old, newer} {
		config, err := img.ConfigName()
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range []string{
			config.String(), config.Hex, digestOf(t, img), strings.TrimPrefix(digestOf(t, img), "sha256:"),
		} {
			w.finds(t, renga.Web, ref, digestOf(t, img))
		}
	}
	w.finds(t, renga.Web, "kept", digestOf(t, old))
	w.finds(t, renga.Web, "latest", digestOf(t, newer))
	w.restart(t)
	w.finds(t, renga.Web, "kept", digestOf(t, old))
}

func TestAnImageInAnIndexIsFoundByItsConfigAndByTheIndex(t *testing.T) {
	w := newFixture(t)
	img := image(t)
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img})
	if err := remote.WriteIndex(w.ref(t, "hello/web:latest"), index, as("alice-token")...); err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{config.String(), digestOf(t, index), digestOf(t, img)} {
		w.finds(t, renga.Web, ref, digestOf(t, img))
	}
}

func TestAnImageOfAnotherProcessTypeIsFoundForOneTypeAlone(t *testing.T) {
	w := newFixture(t)
	img := image(t, func(c *v1.ConfigFile) {
		c.Config.Labels = map[string]string{"renga.processes": `{"worker":["/app","work"],"clock":"tick"}`}
	})
	w.push(t, "hello/web:latest", img)
	found := w.finds(t, "worker", digestOf(t, img), digestOf(t, img))
	if len(found) != 1 || fmt.Sprint(found["worker"].Command) != "[/app work]" {
		t.Errorf("for the worker: %v", found)
	}
	found = w.finds(t, "other", digestOf(t, img), digestOf(t, img))
	if len(found) != 1 || fmt.Sprint(found["other"].Command) != "[/app serve]" {
		t.Errorf("for a type that it does not declare: %v", found)
	}
	if found = w.finds(t, renga.Web, digestOf(t, img), digestOf(t, img)); len(found) != 3 {
		t.Errorf("for its own type: %v", found)
	}
}

func TestWhatWasNeverPushedIsNotFound(t *testing.T) {
	w := newFixture(t)
	w.push(t, "hello/web:latest", image(t))
	w.push(t, "theirs/web:latest", image(t))
	theirs := w.tagOf(t, "theirs/web:latest")
	for _, ref := range []string{theirs, "sha256:" + strings.Repeat("0", 64), "v9", "../web", ""} {
		_, err := w.reg.Find(t.Context(), "hello", renga.Web, ref)
		if renga.KindOf(err) != renga.Invalid {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

// finds wants ref to name the image of that manifest digest.
func (w *fixture) finds(t *testing.T, process renga.ProcessType, ref, digest string) map[renga.ProcessType]renga.Image {
	t.Helper()
	found, err := w.reg.Find(t.Context(), "hello", process, ref)
	if err != nil || found[process].Digest != digest {
		t.Errorf("%s %s: %v, %v; want %s", process, ref, found, err, digest)
	}
	return found
}

// BenchmarkFindAmongThousandTags looks for the image that is read last.
func BenchmarkFindAmongThousandTags(b *testing.B) {
	w := newFixture(b)
	base := image(b)
	last, oldest := "", ""
	for n := range 1000 {
		img := configured(b, base, func(c *v1.ConfigFile) { c.Author = fmt.Sprint(n) })
		w.push(b, fmt.Sprintf("hello/web:t%d", n), img)
		if d := digestOf(b, img); d > oldest {
			config, err := img.ConfigName()
			if err != nil {
				b.Fatal(err)
			}
			oldest, last = d, config.String()
		}
	}
	for b.Loop() {
		if _, err := w.reg.Find(b.Context(), "hello", renga.Web, last); err != nil {
			b.Fatal(err)
		}
	}
}
