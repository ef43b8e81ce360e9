package renga_test

import (
	"slices"
	"strings"
	"testing"

	"renga"
)

func TestDisksMayBeWhereNoImageBreaks(t *testing.T) {
	for _, p := range []string{"/data", "/app/storage", "/var/lib/sqlite", "/usr/src/app/uploads", "/srv", "/a.b/c-d_e", "/etcetera"} {
		if err := renga.ValidateMountPath(p); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	for _, p := range []string{
		"", "/", "data", "/data/", "/data//x", "/data/../etc", "/./x", "/a b", "/a:b", "/a,b", "/" + strings.Repeat("x", 200),
		"/proc", "/proc/self", "/sys", "/dev/shm", "/etc", "/etc/ssl", "/run", "/var/run/x", "/bin", "/lib64", "/usr", "/usr/bin",
		"/app", "/workspace", "/cnb/lifecycle", "/root", "/home", "/var", "/data\x00", "/data\n",
	} {
		if err := renga.ValidateMountPath(p); renga.KindOf(err) != renga.Invalid || !strings.HasPrefix(err.Error(), "Path ") {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func TestADiskIsWrittenByOneDynoUnlessItIsShared(t *testing.T) {
	own := renga.Mount{Volume: "v1", Path: "/data", Types: []renga.ProcessType{"web"}}
	shared := renga.Mount{Volume: "v2", Path: "/pool", Types: []renga.ProcessType{"web", "worker"}, Shared: true}
	all := []renga.Mount{own, shared}
	if err := renga.ValidateMounts(all); err != nil {
		t.Fatal(err)
	}
	if got := renga.Alone(all, "web"); !slices.Equal(got, []string{"v1"}) {
		t.Errorf("web writes %q alone", got)
	}
	if got := renga.Alone(all, "worker"); got != nil {
		t.Errorf("worker writes %q alone", got)
	}
	for _, c := range []struct {
		typ      renga.ProcessType
		quantity int
		refused  bool
	}{{"web", 0, false}, {"web", 1, false}, {"web", 2, true}, {"worker", 9, false}} {
		if err := renga.ValidateScale(all, c.typ, c.quantity); (err != nil) != c.refused {
			t.Errorf("%s=%d: %v", c.typ, c.quantity, err)
		}
	}
	for what, wrong := range map[string][]renga.Mount{
		"no type":                {{Volume: "v", Path: "/data"}},
		"two types":              {{Volume: "v", Path: "/data", Types: []renga.ProcessType{"web", "worker"}}},
		"a release command":      {{Volume: "v", Path: "/data", Types: []renga.ProcessType{renga.ReleaseType}}},
		"a type that is none":    {{Volume: "v", Path: "/data", Types: []renga.ProcessType{"run"}}},
		"another at that path":   {own, {Volume: "v", Path: "/data", Types: []renga.ProcessType{"web"}, Shared: true}},
		"a path of the system's": {{Volume: "v", Path: "/etc", Types: []renga.ProcessType{"web"}}},
	} {
		if err := renga.ValidateMounts(wrong); renga.KindOf(err) != renga.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	elsewhere := []renga.Mount{own, {Volume: "v", Path: "/data", Types: []renga.ProcessType{"worker"}}}
	if err := renga.ValidateMounts(elsewhere); err != nil {
		t.Errorf("two disks at one path of two process types: %v", err)
	}
}
