package api_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

// unread are the fields of Heroku's schema that are answered with a Warning, and
// why nobody reads them.
var unread = map[string]string{
	"POST /apps feature_flags":          "there are none",
	"POST /teams/apps internal_routing": "there are no private spaces",
	"POST /teams/apps locked":           "apps are not locked",
	"POST /teams/apps space":            "there are no private spaces",
}

func TestFieldsThatNobodyReadsAreWarnedOf(t *testing.T) {
	many := ""
	for i := range 40 {
		many += fmt.Sprintf(`,"f%02d":1`, i)
	}
	for name, c := range map[string]struct{ method, url, body, warning string }{
		"one": {
			"PATCH", "/apps/hello/formation/web", `{"quantity":2,"dyno_sizes":{"name":"eco"}}`, "dyno_sizes.",
		},
		"within": {
			"PATCH", "/apps/hello/formation/web", `{"dyno_size":{"name":"eco","memory":7}}`, "dyno_size.memory.",
		},
		"in a list": {
			"PATCH", "/apps/hello/formation",
			`{"updates":[{"type":"web","quantity":1},{"type":"worker","quantity":1,"siez":"eco"}]}`,
			"updates[].siez.",
		},
		"several": {"POST", "/apps", `{"name":"fresh","b":1,"a":2}`, "a, b."},
		"too many": {
			"PATCH", "/apps/hello", `{"maintenance":true` + many + `}`,
			"f00, f01, f02, f03, f04, f05, f06, f07, f08, f09 and 30 more.",
		},
		"of an odd name": {
			"PATCH", "/apps/hello", `{"maintenance":true,"a\r\nSet-Cookie: \"b":1}`, "a??Set-Cookie:??b.",
		},
		"of a long name": {
			"PATCH", "/apps/hello", `{"maintenance":true,"` + strings.Repeat("é", 500) + `":1}`,
			strings.Repeat("?", 32) + ".",
		},
		"of a refusal":      {"PATCH", "/apps/hello/formation/web", `{"quantity":-7,"colour":1}`, "colour."},
		"in another case":   {"PATCH", "/apps/hello/formation/web", `{"Quantity":2}`, ""},
		"unneeded":          {"POST", "/apps/hello/collaborators", `{"user":"bob@example.com","silent":true}`, ""},
		"of free names":     {"PATCH", "/apps/hello/config-vars", `{"ANY":"thing"}`, ""},
		"numbers with text": {"PATCH", "/apps/hello/formation/web", `{"quantity":"+1"}`, ""},
	} {
		res, body := newFull().Ask(c.method, c.url, c.body, nil)
		want := ""
		if c.warning != "" {
			want = `299 renga "Not understood, and ignored: ` + c.warning + `"`
		}
		if got := res.Header.Get("Warning"); got != want {
			t.Errorf("%s: warning %q, want %q: %d %s", name, got, want, res.StatusCode, body)
		}
	}
}

// TestAWarningIsRepeatedWithItsAnswer sends one request twice.
func TestAWarningIsRepeatedWithItsAnswer(t *testing.T) {
	fixture := newFull()
	for range 2 {
		res, _ := fixture.Ask(
			"PATCH", "/apps/hello", `{"maintenance":true,"colour":1}`, wiretest.Header("Idempotency-Key", "once"),
		)
		if !strings.Contains(res.Header.Get("Warning"), "colour") {
			t.Errorf("warning %q, replayed %q", res.Header.Get("Warning"), res.Header.Get("Idempotent-Replayed"))
		}
	}
}

// TestIgnoredFieldsAreWrittenDown sends each field of each link in both versions of
// the schema that clients use. A new link has to read its fields, or say why not.
func TestIgnoredFieldsAreWrittenDown(t *testing.T) {
	const file = "../docs/ignored-fields.md"
	silent, warned := map[string]string{}, map[string]string{}
	for _, version := range []string{"v5", "v6"} {
		schema := readSchemaOf(t, version)
		for _, row := range implemented {
			if row.status >= 400 || row.method == "GET" {
				continue
			}
			for _, l := range schema.links(t) {
				if l.resource == row.resource && l.title == row.title && l.method == row.method {
					sortFields(t, schema, l, row.url, silent, warned)
				}
			}
		}
	}
	for field := range unread {
		if _, has := warned[field]; !has {
			t.Errorf("%s is read, or no field of the schema: take it out of unread", field)
		}
	}
	writtenDown(t, file, ignoredFields(silent, warned))
}

// sortFields asks a link with each of its fields alone.
func sortFields(t *testing.T, schema *schemaFile, l link, url string, silent, warned map[string]string) {
	t.Helper()
	route := l.method + " " + l.path()
	unneeded := unneeded()[routeOf(l)]
	for _, field := range schema.fieldsOf(t, l) {
		why, passed := unneeded[field]
		fixture := newFull()
		fixture.WarnOfAll = true // so that it is checked
		res, _ := fixture.Ask(l.method, url, bodyWith(field), nil)
		if passed {
			silent[route+" "+field] = why
		}
		ignored := strings.Contains(res.Header.Get("Warning"), ": "+field+".")
		switch {
		case passed && !ignored:
			t.Errorf("%s reads %s: take it out of unneeded", route, field)
		case !passed && ignored:
			warned[route+" "+field] = unread[route+" "+field]
			if unread[route+" "+field] == "" {
				t.Errorf("%s does not read %s: read it, or say in unneeded or unread why not", route, field)
			}
		}
	}
}

// routeOf is the API's own route that answers a link.
func routeOf(l link) string {
	for _, route := range paths() {
		if answers(route, l) {
			return route[0] + " " + route[1]
		}
	}
	return ""
}

// bodyWith has one field, which is null: "updates[].type" is {"updates":[{"type":null}]}.
func bodyWith(field string) string {
	name, rest, nested := strings.Cut(field, ".")
	inner := "null"
	if nested {
		inner = bodyWith(rest)
	}
	if of, isList := strings.CutSuffix(name, "[]"); isList {
		name, inner = of, "["+inner+"]"
	}
	return fmt.Sprintf("{%q:%s}", name, inner)
}

// fieldsOf are the fields that a link takes, without those that only hold others.
func (s *schemaFile) fieldsOf(t *testing.T, l link) []string {
	t.Helper()
	for _, raw := range s.at(t, "#/definitions/"+l.resource)["links"].([]any) {
		if raw := raw.(map[string]any); raw["title"] == l.title && raw["method"] == l.method {
			body, _ := raw["schema"].(map[string]any)
			return s.fieldsIn(t, body, "")
		}
	}
	return nil
}

func (s *schemaFile) fieldsIn(t *testing.T, node map[string]any, at string) []string {
	t.Helper()
	if ref, ok := node["$ref"].(string); ok {
		node = s.at(t, ref)
	}
	var all []string
	if items, isList := node["items"].(map[string]any); isList {
		all = s.fieldsIn(t, items, at+"[]")
	}
	properties, _ := node["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		property, _ := properties[name].(map[string]any)
		all = append(all, s.fieldsIn(t, property, strings.TrimPrefix(at+"."+name, "."))...)
	}
	if len(all) == 0 && at != "" && !strings.HasSuffix(at, "[]") {
		return []string{at}
	}
	return all
}

// ignoredFields is the document about what is sent and not read.
func ignoredFields(silent, warned map[string]string) string {
	var doc strings.Builder
	doc.WriteString(`# Fields that are sent and not understood

An answer names the fields of its request's body that nobody reads, whatever they are, in a header:
` + "`Warning: 299 renga \"Not understood, and ignored: colour, updates[].siez.\"`" + `. It names ten at most, each
cut at 64 bytes. The rest of the request is done.

Written by a test of the api package, which sends every field that Heroku's schema has for a link that is
answered, as of versions 5.5.0 and 6.1.0 of its Go client; ` + "`go test ./api -run IgnoredFields -update`" + `
writes it. All other fields of these links are read. Those that changed their name between the two versions
are read under both.

| Request | Field | Warning | Why it is ignored |
|---|---|---|---|
`)
	for _, kind := range []struct {
		said   string
		fields map[string]string
	}{{"no: reading it would change nothing", silent}, {"yes", warned}} {
		for _, key := range slices.Sorted(maps.Keys(kind.fields)) {
			at := strings.LastIndex(key, " ")
			fmt.Fprintf(&doc, "| `%s` | `%s` | %s | %s |\n", key[:at], key[at+1:], kind.said, kind.fields[key])
		}
	}
	return doc.String()
}
