package api_test

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	heroku5 "github.com/heroku/heroku-go/v5"
	heroku "github.com/heroku/heroku-go/v6"
)

// TestHerokusClientCallsEveryImplementedLink calls each method of Heroku's Go
// client whose link is implemented, with the same request as the schema's test
// makes. The client's own types must read the answer.
func TestHerokusClientCallsEveryImplementedLink(t *testing.T) {
	// it asks for an app's releases
	called := callAll(t, func(t *testing.T, f *fixture, token string) any { return clientOf(t, f, token) },
		"pipeline-deployment/List")
	for name, has := range called {
		if !has {
			t.Errorf("Heroku's client has no method for %s", name)
		}
	}
}

// TestHerokusOlderClientCallsEveryLinkThatItKnows does the same with the client of
// the version before, which Terraform's provider and many programs still use.
func TestHerokusOlderClientCallsEveryLinkThatItKnows(t *testing.T) {
	called := callAll(t, func(t *testing.T, f *fixture, token string) any { return olderClientOf(t, f, token) })
	known := 0
	for _, has := range called {
		if has {
			known++
		}
	}
	if known < 120 {
		t.Errorf("only %d links were called", known)
	}
}

// callAll calls the methods of a client, and tells which exist. It leaves out links
// that the client handles wrongly.
func callAll(t *testing.T, newClient func(*testing.T, *fixture, string) any, faulty ...string) map[string]bool {
	t.Helper()
	links, called := readSchema(t).links(t), map[string]bool{}
	for _, link := range implemented {
		if link.status >= 400 || slices.Contains(faulty, link.resource+"/"+link.title) {
			continue // it is always refused, or the client handles it wrongly
		}
		name := methodName(link.resource) + methodName(link.title)
		t.Run(link.resource+"/"+link.title, func(t *testing.T) {
			method := reflect.ValueOf(newClient(t, newFull(), tokenOf(link.resource, link.title))).MethodByName(name)
			if called[link.resource+"/"+link.title] = method.IsValid(); !method.IsValid() {
				return
			}
			path, _, _ := strings.Cut(link.url, "?")
			out := method.Call(arguments(t, links, method.Type(), path, link.body))
			if err, failed := out[len(out)-1].Interface().(error); failed {
				t.Errorf("%s: %v", link.url, err)
			}
		})
	}
	return called
}

var word = regexp.MustCompile(`[A-Za-z0-9]+`)

// methodName writes a resource or a title as the client does: "add-on" is
// AddOn, "Info for App Release" is InfoForAppRelease.
func methodName(text string) string {
	var name strings.Builder
	for _, w := range word.FindAllString(text, -1) {
		if w == "oauth" {
			w = "OAuth"
		}
		name.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return name.String()
}

// arguments makes the arguments of a method from a request: a context, the
// parameters of the path in their order, the body, no range.
func arguments(t *testing.T, links []link, method reflect.Type, path, body string) []reflect.Value {
	t.Helper()
	args := []reflect.Value{reflect.ValueOf(t.Context())}
	values := parametersOf(t, links, path, countStrings(method))
	for i := 1; i < method.NumIn(); i++ {
		in := method.In(i)
		switch {
		case in.Kind() == reflect.String:
			args, values = append(args, reflect.ValueOf(values[0])), values[1:]
		case in == reflect.TypeFor[*heroku.ListRange](), in == reflect.TypeFor[*heroku5.ListRange]():
			args = append(args, reflect.Zero(in))
		default:
			options := reflect.New(in)
			if body != "" {
				if err := json.Unmarshal([]byte(body), options.Interface()); err != nil {
					t.Fatalf("the body does not fit %s: %v", in, err)
				}
			}
			args = append(args, options.Elem())
		}
	}
	return args
}

func countStrings(method reflect.Type) int {
	n := 0
	for i := range method.NumIn() {
		if method.In(i).Kind() == reflect.String {
			n++
		}
	}
	return n
}

// parametersOf finds the parts of a path that are parameters, by the link of the
// schema that it follows.
func parametersOf(t *testing.T, links []link, path string, n int) []string {
	t.Helper()
	parts := strings.Split(httptest.NewRequest("GET", path, nil).URL.Path, "/")[1:]
	for _, l := range links {
		if len(l.segments) != len(parts) {
			continue
		}
		var values []string
		fits := true
		for i, segment := range l.segments {
			if strings.HasPrefix(segment, "{") {
				values = append(values, parts[i])
			} else if segment != parts[i] {
				fits = false
			}
		}
		if fits && len(values) == n {
			return values
		}
	}
	t.Fatalf("%s is no path of the schema with %d parameters", path, n)
	return nil
}
