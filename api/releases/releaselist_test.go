package releases_test

import (
	"context"
	"strings"
	"testing"

	"renga"
	"renga/api/releases"
	"renga/api/wire"
	"renga/api/wire/wiretest"
)

func TestReleaseRanges(t *testing.T) {
	fixture := newFixture()
	third := wiretest.IDOf(t, fixture, 3)
	for header, want := range map[string]string{
		"":                                    "1 2 3 4",
		" ":                                   "1 2 3 4",
		"..":                                  "1 2 3 4",
		"; max=2":                             "1 2",
		"..; max=2":                           "1 2",
		"version ..":                          "1 2 3 4",
		"version":                             "1 2 3 4",
		"version ..; max=1, order=desc":       "4",
		"version ..; order=desc,max=1":        "4",
		"version ..; order=desc":              "4 3 2 1",
		"version ..;max=1000;":                "1 2 3 4",
		"version ..; max=99999":               "1 2 3 4",
		"version 2..3":                        "2 3",
		"version ]2..4[":                      "3",
		"version 3..2":                        "",
		"version ..0":                         "",
		"version ..1[":                        "",
		"version 9..":                         "",
		"version ..; order=desc; max=2; x=y":  "4 3",
		"id ..; max=1000;":                    "1 2 3 4",
		"id " + third + "..":                  "3 4",
		"id ]" + third + "..; order=asc":      "4",
		"id .." + third + "[; order=desc":     "2 1",
		"id " + strings.ToUpper(third) + "..": "3 4",
	} {
		if got := strings.Join(wiretest.Listed(t, fixture, "/apps/hello/releases", header, "version"), " "); got != want {
			t.Errorf("Range %q lists %q, want %q", header, got, want)
		}
	}
}

func TestReleaseListPages(t *testing.T) {
	for header, want := range map[string]string{
		"version ..; max=1":             "1 2 3 4",
		"version ..; max=3, order=desc": "4 3 2 1",
		"version 2..; max=1":            "2 3 4",
		"version ..3; max=2,order=desc": "3 2 1",
		"id ..; max=3":                  "1 2 3 4",
		"id ..; max=1; order=desc":      "4 3 2 1",
		"version ..; max=4":             "1 2 3 4",
	} {
		if got := strings.Join(
			wiretest.Walk(t, newFixture(), "/apps/hello/releases", header, "version"), " ",
		); got != want {
			t.Errorf("Range %q walks over %q, want %q", header, got, want)
		}
	}
}

// queried keeps the last query for releases.
type queried struct {
	store releases.Releases
	last  renga.ReleaseQuery
}

func (s *queried) Release(ctx context.Context, app renga.AppID, n int) (renga.ReleaseRecord, error) {
	return s.store.Release(ctx, app, n)
}

func (s *queried) Releases(
	ctx context.Context, app renga.AppID, q renga.ReleaseQuery,
) ([]renga.ReleaseRecord, error) {
	s.last = q
	return s.store.Releases(ctx, app, q)
}

func TestReleaseListReadsOnlyWhatIsAskedFor(t *testing.T) {
	r := wiretest.New()
	store := &queried{store: r.DB}
	r.Mount(func(d *wire.Door) []wire.Route {
		return releases.New(d, releases.Parts{Releases: store, Releaser: r.Releaser}).Routes()
	})
	r.Ask("GET", "/apps/hello/releases", "", wiretest.Header("Range", "version 2..; max=2, order=desc"))
	q := store.last
	if q.From != 2 || q.To != 0 || q.Max != 3 || !q.Descending {
		t.Errorf("read %+v", q)
	}
}
