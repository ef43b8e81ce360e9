package wiretest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func Quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // every string has a JSON form
	}
	return string(text)
}

// Walk follows a list from page to page and returns one field of all elements.
func Walk(t *testing.T, fixture *Fixture, url, header, field string) []string {
	t.Helper()
	var seen []string
	for range 20 {
		res, body := fixture.Ask("GET", url, "", map[string]string{"Range": header})
		page := Fields(t, body, field)
		for _, name := range page {
			if slices.Contains(seen, name) {
				t.Fatalf("%s is on two pages", name)
			}
		}
		seen = append(seen, page...)
		if header = res.Header.Get("Next-Range"); header == "" {
			if res.StatusCode != 200 {
				t.Fatalf("last page has status %d: %s", res.StatusCode, body)
			}
			return seen
		}
		if res.StatusCode != 206 {
			t.Fatalf("page before the last has status %d: %s", res.StatusCode, body)
		}
	}
	t.Fatal("the list does not end")
	return nil
}

// Listed is one field of the elements of one page.
func Listed(t *testing.T, fixture *Fixture, url, header, field string) []string {
	t.Helper()
	_, body := fixture.Ask("GET", url, "", map[string]string{"Range": header})
	return Fields(t, body, field)
}

func Fields(t *testing.T, body, field string) []string {
	t.Helper()
	var list []map[string]any
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatalf("no list: %s", body)
	}
	all := []string{}
	for _, element := range list {
		all = append(all, fmt.Sprint(element[field]))
	}
	return all
}

// SortedWords joins names; in their order only where the header asks for one.
func SortedWords(names []string, header string) string {
	if !strings.Contains(header, "order") {
		slices.Sort(names)
	}
	return strings.Join(names, " ")
}

// AskFor asks and reads the answer, which must have that status.
func AskFor[T any](t *testing.T, r *Fixture, method, url, body string, headers map[string]string, status int) T {
	t.Helper()
	var into T
	res, text := r.Ask(method, url, body, headers)
	if res.StatusCode != status {
		t.Fatalf("%s %s gets %d, want %d: %s", method, url, res.StatusCode, status, text)
	}
	if err := json.Unmarshal([]byte(text), &into); err != nil {
		t.Fatalf("%s %s: %v: %s", method, url, err, text)
	}
	return into
}
