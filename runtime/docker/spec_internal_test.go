package docker

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"renga"
	"renga/docker"
	"renga/runtime/engine"
)

func exampleSpec() engine.Spec {
	return engine.Spec{
		App: "0f0f0f0f-1111-4222-8333-444444444444", AppName: "blog", Dyno: "abcdef01-2345-4678-9abc-def012345678",
		Name: "web.1", Type: renga.Web, Release: 12, Crashes: 3, Port: 5000,
		Image: renga.Image{Command: []string{"/bin/a", "-x", "with \"quotes\" and spaces"}},
		Env:   renga.Vars{"B": "2=3", "A": "s3cret", "EMPTY": ""},
		Size:  renga.Size{Name: "eco", MemoryBytes: 1 << 29, CPUs: 1.5, Pids: 256},
	}
}

func TestLabelsTellTheSpecAgain(t *testing.T) {
	s := exampleSpec()
	labels, err := dynoLabels(s)
	if err != nil {
		t.Fatal(err)
	}
	want := engine.Instance{
		App: s.App, Dyno: s.Dyno, Name: s.Name, Type: s.Type, Size: "eco", Release: 12, Crashes: 3, Command: s.Image.Command,
	}
	if got := fromLabels(labels); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if labels[docker.LabelApp] != string(s.App) || labels[docker.LabelAppName] != "blog" || labels[labelPort] != "5000" {
		t.Errorf("labels %v", labels)
	}
	if got := fromLabels(map[string]string{labelRelease: "x", labelCommand: "["}); got.Release != 0 || got.Command != nil {
		t.Errorf("of illegible labels: %+v", got)
	}
}

func TestEnvironmentIsCompleteInOrderAndOnlyThere(t *testing.T) {
	c, err := New(nil, Options{}).container(exampleSpec(), "sha256:i", "n")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"A=s3cret", "B=2=3", "EMPTY=", "TINI_KILL_PROCESS_GROUP=1"}; !slices.Equal(c.Env, want) {
		t.Errorf("environment %q; want %q", c.Env, want)
	}
	for key, value := range c.Labels {
		if strings.Contains(value, "s3cret") {
			t.Errorf("label %s tells a secret", key)
		}
	}
}

func TestLimitsAreThoseOfTheSize(t *testing.T) {
	l := limits(renga.Size{MemoryBytes: 1 << 29, CPUs: 1.5, Pids: 256, DiskBytes: 7})
	if want := (docker.Limits{
		MemoryBytes: 1 << 30, ReservedBytes: 1 << 29, CPUs: 1.5, Pids: 256, DiskBytes: 7, OOMScore: oomScore,
	}); l != want {
		t.Errorf("%+v; want %+v", l, want)
	}
}

func TestNamesAreValidForDocker(t *testing.T) {
	s := exampleSpec()
	if got := containerName(s); got != "renga-blog-web.1-abcdef01" {
		t.Errorf("container %s", got)
	}
	if got := hostname("my_worker.12"); got != "my-worker-12" {
		t.Errorf("host %s", got)
	}
	if got := hostname(strings.Repeat("a", 80)); len(got) != 63 {
		t.Errorf("host name of %d characters", len(got))
	}
}
