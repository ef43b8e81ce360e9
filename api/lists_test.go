package api_test

import (
	"slices"
	"strings"
	"testing"
)

// TestEveryListPages holds for all lists of the schema: each field that
// Accept-Ranges names orders the same elements, up and down, a page at a time,
// and a bad range is refused.
func TestEveryListPages(t *testing.T) {
	schema := readSchema(t)
	for _, link := range implemented {
		at := schema.target(t, link.resource, link.title, link.method)
		if _, isList := schema.at(t, at)["items"]; !isList || link.method != "GET" {
			continue
		}
		t.Run(link.resource+"/"+link.title, func(t *testing.T) {
			rig := newRig(nil)
			res, body := rig.ask("GET", link.url, "", nil)
			whole := fields(t, body, "id")
			ranges := strings.Split(res.Header.Get("Accept-Ranges"), ", ")
			if !slices.Contains(ranges, "id") {
				t.Fatalf("Accept-Ranges is %q; every list pages by id", ranges)
			}
			for _, field := range ranges {
				up := walk(t, rig, link.url, field+" ..; max=1", "id")
				down := walk(t, rig, link.url, field+" ..; order=desc,max=1", "id")
				slices.Reverse(down)
				if !slices.Equal(up, down) || !slices.Equal(slices.Sorted(slices.Values(up)), slices.Sorted(slices.Values(whole))) {
					t.Errorf("by %s: up %v, down %v, whole %v", field, up, down, whole)
				}
			}
			if res, body := rig.ask("GET", link.url, "", header("Range", "shoe-size ..")); res.StatusCode != 400 {
				t.Errorf("a range over no field gets %d: %s", res.StatusCode, body)
			}
		})
	}
}

func TestDynosAreOrderedByNumber(t *testing.T) {
	rig := newRig(nil)
	tenth := rig.world.dynos[0]
	tenth.ID, tenth.Name = "30000000-0000-4000-8000-000000000000", "web.10"
	rig.world.dynos = append(rig.world.dynos, tenth)
	for header, want := range map[string]string{
		"": "web.1 web.2 web.10", "name ]web.1..": "web.2 web.10", "name web.2..web.2": "web.2",
		"name ..web.10[; order=desc": "web.2 web.1", "id ..; max=1": "web.10",
	} {
		if got := strings.Join(listed(t, rig, "/apps/hello/dynos", header, "name"), " "); got != want {
			t.Errorf("Range %q lists %q, want %q", header, got, want)
		}
	}
}
