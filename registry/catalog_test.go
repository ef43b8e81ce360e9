package registry_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"renga"
)

// catalog follows the links of a list of repositories, and gives all pages.
func (w *fixture) catalog(t *testing.T, token, query string) [][]string {
	t.Helper()
	var pages [][]string
	for path := "/v2/_catalog" + query; path != ""; {
		res, body := w.do(t, token, "GET", path, nil, nil)
		var page struct{ Repositories []string }
		if err := json.Unmarshal([]byte(body), &page); err != nil || res.StatusCode != 200 || page.Repositories == nil {
			t.Fatalf("%s: %d %s", path, res.StatusCode, body)
		}
		pages = append(pages, page.Repositories)
		path = ""
		if link := res.Header.Get("Link"); link != "" {
			path = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
		}
	}
	return pages
}

// TestTheCatalogHasWhatTheCallerMaySee has other apps between those of alice, so that
// a page that is filtered afterwards would be short, or its link tell of them.
func TestTheCatalogHasWhatTheCallerMaySee(t *testing.T) {
	w := newFixture(t)
	for _, app := range []renga.App{
		{ID: "1", Name: "aaa", Owner: "alice"}, {ID: "2", Name: "bbb", Owner: "alice"}, {ID: "3", Name: "bbb-b", Owner: "alice"},
		{ID: "4", Name: "zzz", Owner: "alice", Deleting: true}, {ID: "5", Name: "empty", Owner: "alice"},
	} {
		w.set(app)
	}
	for _, ref := range []string{"aaa/web:v1", "bbb/web:v1", "bbb/worker:v1", "bbb-b/web:v1", "hello/web:v1", "zzz/web:v1"} {
		if ref == "zzz/web:v1" {
			w.set(renga.App{ID: "4", Name: "zzz", Owner: "alice"})
		}
		w.push(t, ref, image(t))
	}
	w.set(renga.App{ID: "4", Name: "zzz", Owner: "alice", Deleting: true})
	w.set(renga.App{ID: "2", Name: "bbb", Owner: "bob"})
	w.set(renga.App{ID: "app-hello", Name: "hello", Owner: "bob", Registry: renga.RegistryRules{AnonymousPull: true},
		Collaborators: map[renga.AccountID]renga.Collaborator{"carol": {Permissions: []renga.Permission{renga.MayView}}}})
	w.do(t, "alice-token", "POST", "/v2/empty/web/blobs/uploads/", nil, nil) // comes to nothing

	for _, row := range []struct {
		token, query string
		want         [][]string
	}{
		{"alice-token", "", [][]string{{"aaa/web", "bbb-b/web"}}},
		{"alice-token", "?n=1", [][]string{{"aaa/web"}, {"bbb-b/web"}}},
		{"alice-token", "?n=2", [][]string{{"aaa/web", "bbb-b/web"}}},
		{"alice-token", "?n=0", [][]string{{}}},
		{"alice-token", "?last=aaa/web", [][]string{{"bbb-b/web"}}},
		{"alice-token", "?last=bbb/web", [][]string{{}}}, // another's: no more than a place in the order
		{"alice-token", "?last=bbb", [][]string{{"bbb-b/web"}}},
		{"bob-read-token", "?n=1", [][]string{{"bbb/web"}, {"bbb/worker"}, {"hello/web"}}},
		{"carol-token", "", [][]string{{"hello/web"}}},
		{"dave-token", "", [][]string{{}}}, // what is open to all is not listed to all
	} {
		got := w.catalog(t, row.token, row.query)
		if !slices.EqualFunc(got, row.want, slices.Equal) {
			t.Errorf("%s as %s: %v, want %v", row.query, row.token, got, row.want)
		}
	}
}
