package api_test

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
)

// link is one request that Heroku's schema describes.
type link struct {
	resource, title string
	method          string
	segments        []string // of the path; "{app}" is a parameter
	hasBody         bool
}

func (l link) name() string { return l.resource + "/" + l.title }
func (l link) path() string { return "/" + strings.Join(l.segments, "/") }

// links are all links of the schema, in the order of their resources.
func (s *schemaFile) links(t *testing.T) []link {
	t.Helper()
	var all []link
	definitions := s.at(t, "#/definitions")
	for _, resource := range slices.Sorted(maps.Keys(definitions)) {
		list, _ := s.at(t, "#/definitions/"+resource)["links"].([]any)
		for _, raw := range list {
			raw, _ := raw.(map[string]any)
			_, hasBody := raw["schema"]
			l := link{
				resource: resource, title: fmt.Sprint(raw["title"]), method: fmt.Sprint(raw["method"]),
				hasBody: hasBody,
			}
			for part := range strings.SplitSeq(strings.TrimPrefix(fmt.Sprint(raw["href"]), "/"), "/") {
				l.segments = append(l.segments, parameter(part))
			}
			all = append(all, l)
		}
	}
	return all
}

// parameter turns {(%23%2Fdefinitions%2Fapp%2Fdefinitions%2Fidentity)} into
// {app}, and leaves other parts of a path alone.
func parameter(part string) string {
	inner, isParameter := strings.CutPrefix(part, "{(")
	if !isParameter {
		return part
	}
	pointer, err := url.PathUnescape(strings.TrimSuffix(inner, ")}"))
	if err != nil {
		return part
	}
	of, what := path.Base(path.Dir(path.Dir(pointer))), path.Base(pointer)
	switch what {
	case "identity", "id", "name", "scopedIdentity":
		return "{" + of + "}"
	}
	return "{" + what + "}"
}

// answers tells whether a route of the API answers a link: both have parameters in
// the same places of the path, and are else the same.
func answers(route [2]string, l link) bool {
	segments := strings.Split(strings.TrimPrefix(route[1], "/"), "/")
	if route[0] != l.method || len(segments) != len(l.segments) {
		return false
	}
	for i, segment := range segments {
		if isParameter := segment[:1] == "{"; isParameter != (l.segments[i][:1] == "{") || !isParameter &&
			segment != l.segments[i] {
			return false
		}
	}
	return true
}

func (l link) answered() bool {
	return slices.ContainsFunc(paths(), func(route [2]string) bool { return answers(route, l) })
}
