package buildpacks_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"renga"
	"renga/builds"
	"renga/builds/buildpacks"
	"renga/docker"
	"renga/e2e/builder"
	"renga/registry"
)

// kept are the images that tests build on, which take seconds to be kept.
var kept *registry.BaseImages

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "bases")
	if err != nil {
		panic(err)
	}
	kept = registry.NewBaseImages(dir)
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// fixture is a Maker on the real engine, with the builder that tests make.
type fixture struct {
	*testing.T
	*buildpacks.Maker
	client *docker.Client
	app    renga.App
	folder string
}

func newFixture(t *testing.T, change func(*buildpacks.Options)) *fixture {
	t.Helper()
	client, err := docker.New(docker.Options{Platform: uuid.NewString(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	o := buildpacks.Options{Dir: t.TempDir(), Slots: 1, MemoryBytes: 1 << 30, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	f := &fixture{
		T: t, Maker: buildpacks.New(o, client, bases{kept}), client: client,
		app: renga.App{ID: renga.AppID(uuid.NewString()), Name: "shop"}, folder: t.TempDir(),
	}
	t.Cleanup(func() {
		if err := f.RemoveLeftovers(context.Background()); err != nil {
			t.Error(err)
		}
		if err := f.Forget(context.Background(), f.app.ID); err != nil {
			t.Error(err)
		}
		if err := client.Forget(context.Background(), renga.AppID(client.BridgePrefix()+"-1")); err != nil {
			t.Error(err)
		}
	})
	return f
}

type bases struct{ kept *registry.BaseImages }

func (b bases) Base(
	ctx context.Context, id string, save func(context.Context, io.Writer) error,
) (buildpacks.Base, error) {
	found, err := b.kept.Image(ctx, id, save)
	return buildpacks.Base{MediaType: found.MediaType, Manifest: found.Manifest, Config: found.Config, Open: found.Open}, err
}

// job builds what is in the folder.
func (f *fixture) job(ref string) builds.Job {
	return builds.Job{
		App: f.app, Build: renga.Build{ID: uuid.NewString(), App: f.app.ID, Builder: ref},
		Source: func(w *tar.Writer, folder string, uid, gid int) error {
			return filepath.WalkDir(f.folder, func(path string, e os.DirEntry, err error) error {
				if err != nil || e.IsDir() {
					return err
				}
				content, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				name, err := filepath.Rel(f.folder, path)
				if err != nil {
					return err
				}
				h := tar.Header{Name: folder + "/" + name, Mode: 0o755, Size: int64(len(content)), Uid: uid, Gid: gid}
				if err := w.WriteHeader(&h); err != nil {
					return err
				}
				_, err = w.Write(content)
				return err
			})
		},
	}
}

func (f *fixture) write(name, content string) {
	f.Helper()
	if err := os.WriteFile(filepath.Join(f.folder, name), []byte(content), 0o600); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) make(j builds.Job) (builds.Image, string) {
	f.Helper()
	var said bytes.Buffer
	made, err := f.Make(f.Context(), j, &said)
	if err != nil {
		f.Fatalf("%v\n%s", err, said.String())
	}
	f.Cleanup(func() {
		if err := made.Close(); err != nil {
			f.Error(err)
		}
	})
	return made, said.String()
}

func (f *fixture) refused(j builds.Job, sentence string) string {
	f.Helper()
	var said bytes.Buffer
	_, err := f.Make(f.Context(), j, &said)
	if renga.KindOf(err) != renga.Invalid || !strings.Contains(renga.MessageOf(err, ""), sentence) {
		f.Fatalf("it said %v; want %q\n%s", err, sentence, said.String())
	}
	return said.String()
}

func TestBuildMakesAnImageAndReusesItsLayers(t *testing.T) {
	ref, _ := builder.Python.Make(t)
	f := newFixture(t, nil)
	if err := builder.Python.Write(f.folder); err != nil {
		t.Fatal(err)
	}
	j := f.job(ref)
	j.Labels = map[string]string{"org.opencontainers.image.revision": "abc"}
	j.RunEnv = map[string]string{"HEROKU_SLUG_COMMIT": "abc"}
	first, said := f.make(j)
	if !strings.Contains(said, builder.Python.Fetches) || !strings.HasPrefix(said, "-----> Building on the "+ref) {
		t.Errorf("the first build said\n%s", said)
	}
	doc, config := parts(t, first)
	if config.Config.Labels["org.opencontainers.image.revision"] != "abc" {
		t.Errorf("labels %v", config.Config.Labels)
	}
	if last := config.Config.Env[len(config.Config.Env)-1]; last != "HEROKU_SLUG_COMMIT=abc" {
		t.Errorf("the last variable is %q", last)
	}
	if got := strings.Join(config.Config.Entrypoint, " "); got != "/cnb/process/web" {
		t.Errorf("it runs %q", got)
	}
	for _, layer := range doc.Layers { // of the image below, and its own
		body, err := first.Open(layer.Digest)
		if err != nil {
			t.Errorf("layer %s: %v", layer.Digest, err)
			continue
		}
		if n, err := io.Copy(io.Discard, body); err != nil || n != layer.Size {
			t.Errorf("layer %s has %d bytes, %v; want %d", layer.Digest, n, err, layer.Size)
		}
		_ = body.Close() // only read
	}

	again := f.job(ref)
	again.Previous = previous(t, first)
	_, said = f.make(again)
	if !strings.Contains(said, builder.Python.Reuses) || strings.Contains(said, builder.Python.Fetches) {
		t.Errorf("the second build said\n%s", said)
	}
}

// What is reused of the image before keeps its place in the list of what is in the image.
func TestReusedLayersStayOnTheList(t *testing.T) {
	ref, _ := builder.Node.Make(t)
	f := newFixture(t, nil)
	if err := builder.Node.Write(f.folder); err != nil {
		t.Fatal(err)
	}
	first, _ := f.make(f.job(ref))
	j := f.job(ref)
	j.Previous = previous(t, first)
	again, said := f.make(j)
	if !strings.Contains(said, builder.Node.Reuses) {
		t.Errorf("the build said\n%s", said)
	}
	if list := sboms(t, first, first); !strings.Contains(list, builder.Node.Lists) {
		t.Fatalf("the first image lists\n%s", list)
	}
	if list := sboms(t, again, first); !strings.Contains(list, builder.Node.Lists) {
		t.Errorf("the second image lists\n%s", list)
	}

	j.Build.ID = uuid.NewString()
	j.Previous.Blob = func(context.Context, string, int64) ([]byte, error) {
		return nil, renga.Errorf(renga.NotFound, "it is gone")
	}
	anew, said := f.make(j)
	if list := sboms(t, anew, anew); !strings.Contains(list, builder.Node.Lists) {
		t.Errorf("an image after one without its list has\n%s\n%s", list, said)
	}
}

func TestChosenBuildpackIsTheOnlyOne(t *testing.T) {
	ref, _ := builder.Python.Make(t)
	f := newFixture(t, nil)
	if err := builder.Python.Write(f.folder); err != nil {
		t.Fatal(err)
	}
	j := f.job(ref)
	j.Build.Buildpacks = []string{"heroku/nodejs"}
	f.refused(j, "No buildpack of the builder knows how to build this")
	j = f.job(ref)
	j.Build.Buildpacks = []string{"acme/cobol"}
	f.refused(j, `has no buildpack "acme/cobol"; it has heroku/nodejs, heroku/procfile, heroku/python, heroku/ruby.`)
}

func TestFailingBuildpackIsHeard(t *testing.T) {
	ref, _ := builder.Python.Make(t)
	f := newFixture(t, nil)
	if err := builder.Python.Write(f.folder); err != nil {
		t.Fatal(err)
	}
	f.write(builder.Python.Broken.File, builder.Python.Broken.Content)
	if said := f.refused(f.job(ref), "A buildpack failed"); !strings.Contains(said, builder.Python.Broken.Says) {
		t.Errorf("it said\n%s", said)
	}
	left, err := f.client.List(t.Context(), "build")
	if err != nil || len(left) > 0 {
		t.Errorf("containers are left: %v, %v", left, err)
	}
}

func TestImageThatIsNoBuilderIsRefused(t *testing.T) {
	_, run := builder.Python.Make(t)
	f := newFixture(t, nil)
	f.refused(f.job(run), "is no builder. Set another builder.")
}
