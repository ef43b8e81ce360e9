package api_test

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"

	heroku "github.com/heroku/heroku-go/v5"
)

// TestHerokusClientCallsEveryImplementedLink calls each method of Heroku's Go
// client whose link is implemented, with the same request as the schema's test
// makes. The client's own types must read the answer.
func TestHerokusClientCallsEveryImplementedLink(t *testing.T) {
	links := readSchema(t).links(t)
	for _, link := range implemented {
		if link.status >= 400 {
			continue // it is there to be refused
		}
		t.Run(link.resource+"/"+link.title, func(t *testing.T) {
			client := clientOf(t, furnished())
			method := reflect.ValueOf(client).MethodByName(methodName(link.resource) + methodName(link.title))
			if !method.IsValid() {
				t.Fatalf("Heroku's client has no method %s%s", methodName(link.resource), methodName(link.title))
			}
			path, _, _ := strings.Cut(link.url, "?")
			out := method.Call(arguments(t, links, method.Type(), path, link.body))
			if err, failed := out[len(out)-1].Interface().(error); failed {
				t.Errorf("%s: %v", link.url, err)
			}
		})
	}
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

// arguments makes what a method takes out of a request: a context, the
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
		case in == reflect.TypeFor[*heroku.ListRange]():
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
