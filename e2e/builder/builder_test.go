package builder_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"renga/e2e/builder"
)

func TestAnAppIsBuiltAndAnswers(t *testing.T) {
	for _, app := range builder.Apps() {
		t.Run(app.Name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, app)
			dir := f.write()

			first := f.succeed(dir)
			if !strings.Contains(first.output, app.Fetches) || strings.Contains(first.output, app.Reuses) {
				t.Errorf("the first build prints %s; want %q", first.output, app.Fetches)
			}
			if processes := first.image.processes(t); !maps.Equal(processes, app.Processes) {
				t.Errorf("the process types are %q; want %q", processes, app.Processes)
			}
			if lists := first.image.sboms(t); !strings.Contains(lists, app.Lists) {
				t.Errorf("the SBOMs are %q; want %s among them", lists, app.Lists)
			}
			if answer := f.ask(f.load(first.image)); answer != app.Answer {
				t.Errorf("the app answers %q; want %q", answer, app.Answer)
			}

			second := f.succeed(dir)
			if !strings.Contains(second.output, app.Reuses) || strings.Contains(second.output, app.Fetches) {
				t.Errorf("the second build prints %s; want %q", second.output, app.Reuses)
			}
			if again := second.image.digest(t); again != first.image.digest(t) {
				t.Errorf("the second build makes %v; want %v again", again, first.image.digest(t))
			}
			for _, layer := range second.image.manifest(t).Layers {
				if name := blob(layer.Digest); second.image[name] != nil && name != second.image.sbomLayer(t) {
					t.Errorf("the second build has layer %v, which the image before has", layer.Digest)
				}
			}
			t.Logf("built in %.1f s, again in %.1f s", first.took.Seconds(), second.took.Seconds())
		})
	}
}

func TestAFaultOfAnAppIsToldReadably(t *testing.T) {
	for _, app := range builder.Apps() {
		for name, fault := range map[string]builder.Fault{"broken": app.Broken, "disagrees": app.Disagrees} {
			t.Run(app.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, app)
				dir := f.write()
				check(t, fault.Write(dir))
				if built := f.build(dir); built.code != exitBuild || !strings.Contains(built.output, fault.Says) {
					t.Errorf("the build ends with %d and prints %s; want %d and %q", built.code, built.output, exitBuild, fault.Says)
				}
			})
		}
	}
}

func TestAFolderThatNoBuildpackKnowsIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, builder.Node)
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "README"), []byte("hello"), 0o600))
	if built := f.build(dir); built.code != exitNothing || !strings.Contains(built.output, "No buildpack groups passed detection") {
		t.Errorf("the build ends with %d and prints %s; want %d and a sentence", built.code, built.output, exitNothing)
	}
}

// Builders are asked by these labels and files what they can do; Renga does, too.
func TestABuilderSaysWhatItHas(t *testing.T) {
	for _, app := range []builder.App{builder.Node, builder.Java} {
		t.Run(app.Builder, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, app)
			var metadata struct {
				Stack      struct{ RunImage struct{ Image string } }
				Images     []struct{ Image string }
				Buildpacks []struct{ ID, Version string }
			}
			label := f.docker(nil, "image", "inspect", "--format", `{{index .Config.Labels "io.buildpacks.builder.metadata"}}`, app.Builder)
			check(t, json.Unmarshal(label, &metadata))
			if metadata.Stack.RunImage.Image != app.Run || len(metadata.Images) != 1 || metadata.Images[0].Image != app.Run {
				t.Errorf("the run image is %v, %v; want %s", metadata.Stack, metadata.Images, app.Run)
			}
			var said []string
			for _, b := range metadata.Buildpacks {
				said = append(said, fmt.Sprintf("/cnb/buildpacks/%s/%s", strings.ReplaceAll(b.ID, "/", "_"), b.Version))
			}
			slices.Sort(said)
			found := f.docker(nil, "run", "--rm", "--label", f.name, app.Builder, "sh", "-c", "ls -d /cnb/buildpacks/*/*")
			if has := strings.Fields(string(found)); !slices.Equal(has, said) {
				t.Errorf("the label says %v; the builder has %v", said, has)
			}
		})
	}
}

// write writes the app into a folder of its own.
func (f *fixture) write() string {
	f.t.Helper()
	dir := filepath.Join(f.t.TempDir(), "app")
	check(f.t, f.app.Write(dir))
	return dir
}

// succeed builds what can be built.
func (f *fixture) succeed(dir string) result {
	f.t.Helper()
	built := f.build(dir)
	if built.code != 0 {
		f.t.Fatalf("the build ends with %d:\n%s", built.code, built.output)
	}
	return built
}

// ask runs the image as a web dyno and returns what it answers.
func (f *fixture) ask(ref string) string {
	f.t.Helper()
	id := f.id("run", "--detach", "--label", f.name, "--env", "PORT=5000", "--publish", "127.0.0.1::5000", ref)
	address := strings.TrimSpace(string(f.docker(nil, "port", id, "5000")))
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var response *http.Response
		if response, err = http.Get("http://" + address); err != nil {
			continue
		}
		body, err := io.ReadAll(response.Body)
		check(f.t, err)
		check(f.t, response.Body.Close())
		return string(body)
	}
	f.t.Fatalf("the app does not answer: %v\n%s", err, f.docker(nil, "logs", id))
	return ""
}
