package api_test

import (
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

func TestPagingHeaders(t *testing.T) {
	res, _ := newFixture(nil).Ask("GET", "/apps/hello/releases", "", wiretest.Header("Range", "version ..; max=2"))
	for name, want := range map[string]string{
		"Accept-Ranges": "version, id", "Content-Range": "version 1..2", "Next-Range": "version ]2..; max=2",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestBadRangesAreRefused(t *testing.T) {
	fixture := newFixture(nil)
	for _, bad := range []string{
		"version 1", "version 1-2", "name ..", "version ..; max=0", "version ..; max=-1", "version ..; max=x",
		"version ..; order=up", "version x..", "version ..-1", "version 99999999999999999999..", "id 7..", "x",
		"id 20000000-0000-4000-8000-000000000001..",
	} {
		res, body := fixture.Ask("GET", "/apps/hello/releases", "", wiretest.Header("Range", bad))
		if res.StatusCode != 400 || !strings.Contains(body, `"id":"bad_request"`) {
			t.Errorf("Range %q gets %d: %s", bad, res.StatusCode, body)
		}
	}
	if res, body := fixture.Ask("GET", "/apps", "", wiretest.Header("Range", "updated_at soon..")); res.StatusCode != 400 {
		t.Errorf("a bad time gets %d: %s", res.StatusCode, body)
	}
}

func FuzzRange(f *testing.F) {
	for _, seed := range []string{
		"", "version ..", "id ..; max=1000;", "name ]a..z[; order=desc,max=3",
		"updated_at 2026-01-02T03:04:05Z..; max=1",
		"..", "; max=1", "version 0..0", "bytes=0-1", "name ...", "version ]]..[[; max=00001",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		fixture := newFixture(nil)
		for _, url := range []string{"/apps", "/apps/hello/releases"} {
			res, body := fixture.Ask("GET", url, "", map[string]string{"Range": header})
			if code := res.StatusCode; code != 200 && code != 206 && code != 400 {
				t.Errorf("%s with %q gets %d: %s", url, header, code, body)
			}
			if next := res.Header.Get("Next-Range"); next != "" {
				if res, body := fixture.Ask("GET", url, "", map[string]string{"Range": next}); res.StatusCode > 206 {
					t.Errorf("%s refuses its own Next-Range %q: %s", url, next, body)
				}
			}
		}
	})
}
