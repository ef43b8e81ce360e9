package store_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"renga"
	"renga/store"
)

func TestURLForms(t *testing.T) {
	for text, want := range map[string][]string{
		"redis://h":                                {"h:6379"},
		"redis://u:p@h:1/2":                        {"h:1"},
		"rediss://[::1]:7?skip_verify=true":        {"[::1]:7"},
		"redis://[fe80::1]":                        {"[fe80::1]:6379"},
		"unix:///a/b.sock?db=3":                    {"/a/b.sock"},
		"unix:///a%20b/c%23d":                      {"/a b/c#d"},
		"unix://u:p@/a":                            {"/a"},
		"redis+sentinel://u:p@a,b:2/main?db=4":     {"a:26379", "b:2"},
		"redis+cluster://a,b:2":                    {"a:6379", "b:2"},
		"rediss+cluster://:p%40%2F@a/":             {"a:6379"},
		"redis+sentinel://a/m?sentinel_password=x": {"a:26379"},
		"http://h":                                 nil,
		"":                                         nil,
		"redis://":                                 nil,
		"redis://a,b":                              nil,
		"redis://h:0":                              nil,
		"redis://h:99999":                          nil,
		"redis://h/x":                              nil,
		"redis://h?skip_verify=true":               nil,
		"redis://h?timeout=1":                      nil,
		"redis://u:p#x@h":                          nil,
		"redis+sentinel://h":                       nil,
		"redis+sentinel://h/a/b":                   nil,
		"redis+cluster://h?db=1":                   nil,
		"redis+cluster://h,":                       nil,
		"unix://a":                                 nil,
		"unix://host/a":                            nil,
		"redis://:pa%zz@h":                         nil,
	} {
		_, addrs, err := store.ParseURL(text)
		if !reflect.DeepEqual(addrs, want) || (err == nil) != (want != nil) {
			t.Errorf("%s: %v, %v", text, addrs, err)
		}
		if err != nil && renga.KindOf(err) != renga.Invalid {
			t.Errorf("%s: kind %q", text, renga.KindOf(err))
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{
		"redis://u:p@h:1/2", "unix:///a?db=1", "redis+sentinel://a,b/m", "rediss+cluster://[::1],b", "redis://%zz",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, addrs, err := store.ParseURL(text)
		if (err == nil) != (len(addrs) > 0) {
			t.Fatalf("%q: %v, %v", text, addrs, err)
		}
		// A password that cannot be confused with anything else never shows.
		_, rest, ok := strings.Cut(text, "://")
		if !ok || strings.ContainsAny(rest, "@/?#") {
			return
		}
		scheme := text[:len(text)-len(rest)]
		where, _, err := store.ParseURL(scheme + "u:pass-marker@" + rest)
		if err != nil {
			where = err.Error()
		}
		if strings.Contains(where, "pass-marker") {
			t.Fatalf("%q shows the password: %s", text, where)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"version":2,"digest":"sha256:1","images":{"web":{"repo":"a/web","command":["x"]}},"new":1}`,
		`{"status":"pending","log":["a"],"at":"2026-01-02T03:04:05.000000006Z"}`)
	f.Add(`{}`, `null`)
	f.Add(`[]`, `{"at":"9999999-01-01"}`)
	f.Add(`2026-01-02T03:04:05Z`, `3`)
	f.Fuzz(func(t *testing.T, a, b string) {
		r, err := store.DecodeRelease("app", store.Head{}, a, b)
		if err == nil && (!json.Valid([]byte(a)) || !json.Valid([]byte(b)) || r.App != "app" || r.Images == nil) {
			t.Fatalf("%q, %q: %+v", a, b, r)
		}
		fields := map[string]string{"web": a, "worker": b}
		if f, err := store.DecodeFormation("key", fields); err == nil && len(f) != 2 {
			t.Fatalf("%v: %v", fields, f)
		}
		if times, err := store.DecodeTimes("key", fields); err == nil && len(times) != 2 {
			t.Fatalf("%v: %v", fields, times)
		}
		_, _ = store.DecodeDynos("app", a)
		_, _ = store.DecodeApp("app", b)
		_, _, _ = store.DecodeHead("app", []any{a, b})
	})
}
