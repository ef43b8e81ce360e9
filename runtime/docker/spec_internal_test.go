package docker

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"renga"
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
	e, s := testEngine(t), exampleSpec()
	labels, err := e.dynoLabels(s)
	if err != nil {
		t.Fatal(err)
	}
	want := engine.Instance{
		App: s.App, Dyno: s.Dyno, Name: s.Name, Type: s.Type, Size: "eco", Release: 12, Crashes: 3, Command: s.Image.Command,
	}
	if got := fromLabels(labels); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if labels[labelPlatform] != "p" || labels[labelPort] != "5000" {
		t.Errorf("labels %v", labels)
	}
	if got := fromLabels(map[string]string{labelRelease: "x", labelCommand: "["}); got.Release != 0 || got.Command != nil {
		t.Errorf("of illegible labels: %+v", got)
	}
}

func TestEnvironmentIsCompleteInOrderAndOnlyThere(t *testing.T) {
	p, err := testEngine(t).plan(exampleSpec(), "sha256:i", "n")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"A=s3cret", "B=2=3", "EMPTY=", "TINI_KILL_PROCESS_GROUP=1"}; !slices.Equal(p.config.Env, want) {
		t.Errorf("environment %q; want %q", p.config.Env, want)
	}
	for key, value := range p.config.Labels {
		if strings.Contains(value, "s3cret") {
			t.Errorf("label %s tells a secret", key)
		}
	}
}

func TestLimitsAreOfTheKernelsUnits(t *testing.T) {
	r := resources(renga.Size{MemoryBytes: 1 << 29, CPUs: 1.5, Pids: 256})
	if r.Memory != 1<<30 || r.MemorySwap != r.Memory || r.MemoryReservation != 1<<29 || r.CPUQuota != 150_000 || r.CPUPeriod != 100_000 || *r.PidsLimit != 256 {
		t.Errorf("%+v", r)
	}
	if r := resources(renga.Size{CPUs: 0.001}); r.CPUQuota != 1000 || r.PidsLimit != nil {
		t.Errorf("%+v; want the least quota there is, and no pids limit", r)
	}
}

func TestNamesAreValidForDocker(t *testing.T) {
	s := exampleSpec()
	if got := containerName(s); got != "renga-blog-web.1-abcdef01" {
		t.Errorf("container %s", got)
	}
	if got := networkName(s.App); got != "renga-0f0f0f0f-1111" {
		t.Errorf("network %s", got)
	}
	if got := hostname("my_worker.12"); got != "my-worker-12" {
		t.Errorf("host %s", got)
	}
	if got := hostname(strings.Repeat("a", 80)); len(got) != 63 {
		t.Errorf("host name of %d characters", len(got))
	}
}

func TestCandidatesAreThoseOfExecvp(t *testing.T) {
	for _, c := range []struct {
		command, path, dir string
		want               []string
	}{
		{"/bin/a", "/x", "/app", []string{"/bin/a"}},
		{"./a", "/x", "/app", []string{"/app/a"}},
		{"b/a", "/x", "", []string{"/b/a"}},
		{"a", "/x:/y/", "/app", []string{"/x/a", "/y/a"}},
		{"a", "/x::rel", "/app", []string{"/x/a", "/app/a", "/app/rel/a"}},
	} {
		if got := candidates(c.command, c.path, c.dir); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v; want %v", c.command, got, c.want)
		}
	}
	if got := pathOf([]string{"A=1", "PATH=/x"}); got != "/x" {
		t.Errorf("PATH %s", got)
	}
	if got := pathOf(nil); got != defaultPath {
		t.Errorf("PATH %s", got)
	}
}
