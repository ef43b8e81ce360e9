package api_test

import (
	"testing"

	"renga/api/wire/wiretest"
)

func TestAnswersHaveTags(t *testing.T) {
	fixture := newFixture(nil)
	for _, url := range []string{"/apps", "/apps/hello", "/apps/hello/config-vars", "/apps/hello/releases"} {
		res, _ := fixture.Ask("GET", url, "", nil)
		tag := res.Header.Get("ETag")
		if len(tag) != 34 || tag[0] != '"' {
			t.Fatalf("ETag of %s is %q", url, tag)
		}
		for _, known := range []string{tag, `"other", ` + tag, "W/" + tag, "*"} {
			res, body := fixture.Ask("GET", url, "", wiretest.Header("If-None-Match", known))
			if res.StatusCode != 304 || body != "" || res.Header.Get("ETag") != tag {
				t.Errorf("%s with %s gets %d, ETag %s: %s", url, known, res.StatusCode, res.Header.Get("ETag"), body)
			}
		}
		if res, body := fixture.Ask("GET", url, "", wiretest.Header("If-None-Match", `"other"`)); res.StatusCode != 200 ||
			body == "" {
			t.Errorf("%s with another tag gets %d: %s", url, res.StatusCode, body)
		}
		if res, _ := fixture.Ask("HEAD", url, "", wiretest.Header("If-None-Match", tag)); res.StatusCode != 304 {
			t.Errorf("HEAD %s gets %d", url, res.StatusCode)
		}
	}
}

func TestTagsFollowWhatIsThere(t *testing.T) {
	fixture := newFixture(nil)
	before, _ := fixture.Ask("GET", "/apps/hello", "", nil)
	fixture.Ask("PATCH", "/apps/hello", `{"maintenance":true}`, nil)
	after, _ := fixture.Ask("GET", "/apps/hello", "", wiretest.Header("If-None-Match", before.Header.Get("ETag")))
	if after.StatusCode != 200 || after.Header.Get("ETag") == before.Header.Get("ETag") {
		t.Errorf("after a change: %d, ETag %s", after.StatusCode, after.Header.Get("ETag"))
	}
}

func TestOnlyWholeGoodAnswersHaveTags(t *testing.T) {
	fixture := newFixture(nil)
	for name, res := range map[string]string{"error": "/apps/nobody", "unknown": "/nowhere"} {
		if res, _ := fixture.Ask("GET", res, "", nil); res.Header.Get("ETag") != "" {
			t.Errorf("%s has a tag", name)
		}
	}
	if res, _ := fixture.Ask("GET", "/apps/hello/releases", "", wiretest.Header("Range", "version ..; max=1")); res.StatusCode != 206 ||

		res.Header.Get("ETag") != "" {
		t.Errorf("a part has a tag: %d %v", res.StatusCode, res.Header)
	}
	if res, _ := fixture.Ask("PATCH", "/apps/hello", `{}`, nil); res.Header.Get("ETag") != "" {
		t.Error("a change has a tag")
	}
}
