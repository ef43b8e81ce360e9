package api_test

import (
	"slices"
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

// TestEveryListPages checks all lists of the schema: each field of Accept-Ranges
// orders the same elements, up and down, a page at a time, and a bad range is
// refused.
func TestEveryListPages(t *testing.T) {
	schema := readSchema(t)
	for _, link := range implemented {
		at := schema.target(t, link.resource, link.title, link.method)
		items, isList := schema.at(t, at)["items"].(map[string]any)
		if !isList || link.method != "GET" || link.status >= 400 {
			continue
		}
		identity := schema.identity(t, items)
		t.Run(link.resource+"/"+link.title, func(t *testing.T) {
			fixture := newFull()
			res, body := fixture.Ask("GET", link.url, "", nil)
			whole := wiretest.Fields(t, body, identity)
			ranges := strings.Split(res.Header.Get("Accept-Ranges"), ", ")
			if !slices.Contains(ranges, identity) {
				t.Fatalf("Accept-Ranges is %q; this list pages by %s", ranges, identity)
			}
			for _, field := range ranges {
				up := wiretest.Walk(t, fixture, link.url, field+" ..; max=1", identity)
				down := wiretest.Walk(t, fixture, link.url, field+" ..; order=desc,max=1", identity)
				slices.Reverse(down)
				if !slices.Equal(up, down) ||
					!slices.Equal(slices.Sorted(slices.Values(up)), slices.Sorted(slices.Values(whole))) {
					t.Errorf("by %s: up %v, down %v, whole %v", field, up, down, whole)
				}
			}
			if res, body := fixture.Ask(
				"GET", link.url, "", wiretest.Header("Range", "shoe-size .."),
			); res.StatusCode != 400 {
				t.Errorf("a range over no field gets %d: %s", res.StatusCode, body)
			}
		})
	}
}

func TestDynosAreOrderedByNumber(t *testing.T) {
	fixture := newSeeded(func(s *wiretest.Seed) {
		tenth := s.Dynos[0]
		tenth.ID, tenth.Name = "30000000-0000-4000-8000-000000000000", "web.10"
		s.Dynos = append(s.Dynos, tenth)
	})
	for header, want := range map[string]string{
		"": "web.1 web.2 web.10", "name ]web.1..": "web.2 web.10", "name web.2..web.2": "web.2",
		"name ..web.10[; order=desc": "web.2 web.1", "id ..; max=1": "web.10",
	} {
		if got := strings.Join(wiretest.Listed(t, fixture, "/apps/hello/dynos", header, "name"), " "); got != want {
			t.Errorf("Range %q lists %q, want %q", header, got, want)
		}
	}
}

// identity gives the property that distinguishes the elements of a list.
func (s *schemaFile) identity(t *testing.T, items map[string]any) string {
	t.Helper()
	if ref, ok := items["$ref"].(string); ok {
		items = s.at(t, ref)
	}
	properties, _ := items["properties"].(map[string]any)
	for _, name := range []string{"id", "ordinal"} {
		if properties[name] != nil {
			return name
		}
	}
	return "name"
}
