package catalogue_test

import (
	"strings"
	"testing"

	"renga"
	"renga/addons/catalogue"
)

func TestPlansAreFoundByTheirNamesAndOldOnes(t *testing.T) {
	c := load(t, "")
	for name, want := range map[string]string{
		"heroku-postgresql":             "heroku-postgresql:essential-0",
		"heroku-postgresql:essential-1": "heroku-postgresql:essential-1",
		"heroku-postgresql:hobby-dev":   "heroku-postgresql:essential-0",
		"heroku-postgresql:mini":        "heroku-postgresql:essential-0",
		"heroku-postgresql:basic":       "heroku-postgresql:essential-1",
		"postgresql:standard-0":         "heroku-postgresql:standard-0",
		"heroku-redis:mini":             "heroku-redis:mini",
		"redis:hobby-dev":               "heroku-redis:mini",
	} {
		s, p, err := c.Plan(name)
		if got := renga.PlanName(s.Name, p.Name); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", name, got, err, want)
		}
	}
	for _, name := range []string{"", "oracle", "heroku-redis:", "heroku-redis:huge", "heroku-redis:mini:x", ":mini"} {
		_, _, err := c.Plan(name)
		begin := `Couldn't find either the add-on service or the add-on plan of "` + name + `"`
		if renga.KindOf(err) != renga.Invalid || !strings.HasPrefix(err.Error(), begin) {
			t.Errorf("%q: %v; want the sentence that the CLI goes by", name, err)
		}
	}
}

func TestServicesAreFoundByNameAndAlias(t *testing.T) {
	c := load(t, "")
	for _, name := range []string{"heroku-postgresql", "postgresql", "postgres"} {
		if s, err := c.Service(name); err != nil || s.Name != "heroku-postgresql" {
			t.Errorf("%s is %s, %v", name, s.Name, err)
		}
	}
	if _, err := c.Service("oracle"); renga.KindOf(err) != renga.NotFound {
		t.Errorf("an unknown service: %v", err)
	}
}

func TestVersionsAreImages(t *testing.T) {
	s, err := load(t, "").Service("heroku-postgresql")
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]string{"": "postgres:17", "17": "postgres:17", "15": "postgres:15"} {
		if got, err := s.ImageOf(version); err != nil || got != want {
			t.Errorf("version %q is %s, %v; want %s", version, got, err, want)
		}
	}
	_, err = s.ImageOf("9.6")
	want := `heroku-postgresql does not come in version "9.6"; choose one of 13, 14, 15, 16, 17.`
	if renga.KindOf(err) != renga.Invalid || err.Error() != want {
		t.Errorf("version 9.6: %v; want %s", err, want)
	}
}

func load(t *testing.T, dir string) *catalogue.Catalogue {
	t.Helper()
	c, err := catalogue.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
