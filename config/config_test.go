package config_test

import (
	"context"
	"strings"
	"testing"

	"renga"
	"renga/config"
)

// oneApp is a Releaser of one app.
type oneApp struct {
	rel     renga.Release
	changes []string
}

func (o *oneApp) Newest(context.Context, renga.AppID) (renga.Release, error) { return o.rel, nil }

func (o *oneApp) Change(_ context.Context, _ renga.AppID, c renga.Change) (renga.Release, error) {
	in := o.rel.Inputs.Clone()
	if err := c.Edit(&in); err != nil {
		return renga.Release{}, err
	}
	o.rel.Inputs = in
	o.changes = append(o.changes, c.Description)
	return o.rel, nil
}

func ptr(s string) *string { return &s }

func TestSeveralVarsAreOneRelease(t *testing.T) {
	app := &oneApp{rel: renga.Release{Inputs: renga.Inputs{Vars: renga.Vars{"OLD": "1", "KEPT": "2"}}}}
	vars, err := config.New(app).SetVars(t.Context(), "app",
		map[string]*string{"B": ptr("x"), "A": ptr(""), "OLD": nil, "NEVER": nil}, "me")
	if err != nil {
		t.Fatal(err)
	}
	if len(vars) != 3 || vars["B"] != "x" || vars["KEPT"] != "2" {
		t.Errorf("vars are %v", vars.Names())
	}
	if _, ok := vars["A"]; !ok {
		t.Error("an empty value was taken for none")
	}
	if len(app.changes) != 1 || app.changes[0] != "Set A, B and remove NEVER, OLD config vars" {
		t.Errorf("changes are %q", app.changes)
	}
}

func TestDescriptionsAreHerokus(t *testing.T) {
	many := map[string]*string{}
	for _, n := range "ABCDEFGHIJ" {
		many[string(n)] = ptr("")
	}
	for want, changes := range map[string]map[string]*string{
		"Set FOO config vars":                       {"FOO": ptr("1")},
		"Remove FOO config vars":                    {"FOO": nil},
		"Set A, B, C, D, E, F, G, H, … config vars": many,
	} {
		app := &oneApp{}
		if _, err := config.New(app).SetVars(t.Context(), "app", changes, "me"); err != nil {
			t.Fatal(err)
		}
		if app.changes[0] != want {
			t.Errorf("%q, want %q", app.changes[0], want)
		}
	}
}

func TestRefusedVarsChangeNothingAndAreNotEchoed(t *testing.T) {
	for name, changes := range map[string]map[string]*string{
		"reserved":     {"HEROKU_X": ptr("s3cret"), "OK": ptr("1")},
		"bad name":     {"A-B": ptr("s3cret")},
		"bad unset":    {"1A": nil},
		"too large":    {"BIG": ptr(strings.Repeat("s3cret", renga.MaxVarsBytes))},
		"nul byte":     {"NUL": ptr("s3cret\x00")},
		"of an add-on": {"DATABASE_URL": ptr("s3cret")},
	} {
		app := &oneApp{rel: renga.Release{Inputs: renga.Inputs{
			Credentials: map[renga.AddOnID]renga.Credentials{"db": {Vars: renga.Vars{"DATABASE_URL": "x"}}},
		}}}
		_, err := config.New(app).SetVars(t.Context(), "app", changes, "me")
		if renga.KindOf(err) != renga.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the value was echoed", name)
		}
		if len(app.changes) != 0 {
			t.Errorf("%s: something changed", name)
		}
	}
}

func TestVarsHoldTheAddOnsToo(t *testing.T) {
	app := &oneApp{rel: renga.Release{Inputs: renga.Inputs{
		Vars: renga.Vars{"A": "1"}, Credentials: map[renga.AddOnID]renga.Credentials{"db": {Vars: renga.Vars{"DATABASE_URL": "x"}}},
	}}}
	vars, err := config.New(app).Vars(t.Context(), "app")
	if err != nil || len(vars) != 2 {
		t.Errorf("%v, %v", vars.Names(), err)
	}
}
