package renga_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"renga"
)

func TestAppNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"hello": true, "a1b": true, "my-app-2": true, strings.Repeat("a", 30): true,
		"ab": false, strings.Repeat("a", 31): false, "": false, "Hello": false, "1app": false, "app-": false,
		"a--b": false, "a_b": false, "a.b": false, "a/b": false, "api": false, "registry": false, "ünder": false,
	} {
		if err := renga.ValidateAppName(name); (err == nil) != ok {
			t.Errorf("%q: %v, want valid %v", name, err, ok)
		} else if err != nil && renga.KindOf(err) != renga.Invalid {
			t.Errorf("%q: kind %s, want invalid", name, renga.KindOf(err))
		}
	}
}

func TestVarNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"A": true, "DATABASE_URL": true, "_x": true, "lower": true, "A1": true,
		"": false, "1A": false, "A-B": false, "__A": false, "HEROKU_X": false, "PORT": false, "DYNO": false,
		"A=B": false, "A B": false, "É": false, strings.Repeat("A", 257): false,
	} {
		if err := renga.ValidateVarName(name); (err == nil) != ok {
			t.Errorf("%q: %v, want valid %v", name, err, ok)
		}
	}
}

func TestVarsAreBoundedTogether(t *testing.T) {
	v := renga.Vars{"A": strings.Repeat("x", renga.MaxVarsBytes-1)}
	if err := renga.ValidateVars(v); err != nil {
		t.Errorf("exactly the limit: %v", err)
	}
	v["B"] = ""
	if renga.ValidateVars(v) == nil {
		t.Error("one byte over the limit was taken")
	}
	if renga.ValidateVars(renga.Vars{"A": "x\x00y"}) == nil {
		t.Error("a NUL byte was taken")
	}
}

func TestVarsNeverPrintTheirValues(t *testing.T) {
	v := renga.Vars{"TOKEN": "s3cret"}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "vars", v)
	encoded, err := json.Marshal(struct{ V renga.Vars }{v})
	if err != nil {
		t.Fatal(err)
	}
	rel := renga.Release{Inputs: renga.Inputs{Vars: v}}
	for _, printed := range []string{
		fmt.Sprint(v), fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v), fmt.Sprintf("%v %+v %#v", rel, rel, rel),
		log.String(), string(encoded), fmt.Errorf("set %v: bad", v).Error(),
	} {
		if strings.Contains(printed, "s3cret") {
			t.Errorf("a value was printed: %s", printed)
		}
	}
}

func TestProcessTypes(t *testing.T) {
	for name, ok := range map[renga.ProcessType]bool{
		"web": true, "worker": true, "release": true, "my-worker": true, "a_b": true,
		"releases": false, "run": false, "": false, "Web": false, "a..b": false, "-a": false, "a/b": false,
	} {
		if err := renga.ValidateProcessType(name); (err == nil) != ok {
			t.Errorf("%q: %v, want valid %v", name, err, ok)
		}
	}
}

func FuzzParseDynoName(f *testing.F) {
	for _, seed := range []string{"web.1", "web.0", "web", "web.01", ".1", "a.b.1", "web.-1", "web.99999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		typ, n, err := renga.ParseDynoName(name)
		if err != nil {
			return
		}
		if back := renga.DynoName(typ, n); back != name {
			t.Errorf("%q was read as %q", name, back)
		}
	})
}

func TestFormationListsWebFirst(t *testing.T) {
	f := renga.Formation{"clock": {}, "web": {}, "worker": {}, "alpha": {}}
	if got := fmt.Sprint(f.Types()); got != "[web alpha clock worker]" {
		t.Errorf("types are %s", got)
	}
	if got := fmt.Sprint(renga.Formation{"b": {}, "a": {}}.Types()); got != "[a b]" {
		t.Errorf("types are %s", got)
	}
}

func TestErrorsKeepTheirKindThroughWrapping(t *testing.T) {
	cause := errors.New("dial tcp: refused")
	err := fmt.Errorf("start dyno web.1: %w", renga.Errorf(renga.Unavailable, "Docker does not answer: %w", cause))
	if renga.KindOf(err) != renga.Unavailable || !errors.Is(err, cause) {
		t.Errorf("kind %s, cause kept %v", renga.KindOf(err), errors.Is(err, cause))
	}
	if got := renga.MessageOf(errors.New("secret path /x"), "Internal server error."); got != "Internal server error." {
		t.Errorf("an internal error's text was shown: %s", got)
	}
	if renga.KindOf(nil) != "" {
		t.Error("nil has a kind")
	}
}

func TestInputsCloneSharesNothing(t *testing.T) {
	in := renga.Inputs{
		Images: map[renga.ProcessType]renga.Image{"web": {Digest: "d", Command: []string{"a"}}},
		Vars:   renga.Vars{"A": "1"},
		Credentials: map[renga.AddOnID]renga.Credentials{"x": {
			Vars: renga.Vars{"B": "2"}, Mounts: []renga.Mount{{Volume: "v", Path: "/data", Types: []renga.ProcessType{"web"}}},
		}},
	}
	c := in.Clone()
	if !c.Equal(in) {
		t.Fatal("a clone differs")
	}
	c.Images["web"].Command[0] = "b"
	c.Vars["A"] = "9"
	c.Credentials["x"].Vars["B"] = "9"
	if in.Images["web"].Command[0] != "a" || in.Vars["A"] != "1" || in.Credentials["x"].Vars["B"] != "2" {
		t.Error("a change of the clone reached the original")
	}
	if c.Equal(in) {
		t.Error("different inputs are equal")
	}
	moved := in.Clone()
	moved.Credentials["x"].Mounts[0].Types[0] = "worker"
	if moved.Equal(in) || in.Mounts()[0].Types[0] != "web" {
		t.Error("a change of the clone's disk is no difference, or reached the original")
	}
}

func TestRestartsConcernTheirDynos(t *testing.T) {
	at := time.Now()
	d := renga.Desired{Restarts: map[string]time.Time{
		"web.2": at, "worker": at.Add(time.Second), renga.RestartAll: at.Add(-time.Hour),
	}}
	for name, want := range map[string]time.Time{
		"web.1": at.Add(-time.Hour), "web.2": at, "worker.1": at.Add(time.Second),
	} {
		typ, _, err := renga.ParseDynoName(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.RestartedAfter(name, typ); !got.Equal(want) {
			t.Errorf("%s restarts after %v, want %v", name, got, want)
		}
	}
}
