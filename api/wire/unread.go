package wire

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A client that sends a field which this API ignores takes a 200 for a success. So
// the answer names such fields in a Warning header (RFC 7234, 5.5), except those
// that would change nothing if they were read.

// The bounds of a Warning, which repeats names that the client sent.
const (
	warnedFields = 10
	warnedLength = 64
)

// warnOfUnread names the fields of a body that into has no field for in the
// answer's Warning header.
func warnOfUnread(r *http.Request, body []byte, into any) {
	header := InfoOf(r).answer
	if header == nil {
		return
	}
	found := map[string]bool{}
	findUnread(body, reflect.TypeOf(into), "", found)
	for field := range InfoOf(r).unneeded {
		delete(found, field)
	}
	if len(found) == 0 {
		return
	}
	names := slices.Sorted(maps.Keys(found))
	more := ""
	if n := len(names) - warnedFields; n > 0 {
		names, more = names[:warnedFields], " and "+strconv.Itoa(n)+" more"
	}
	header.Set("Warning", `299 renga "Not understood, and ignored: `+strings.Join(names, ", ")+more+`."`)
}

// findUnread collects the paths of fields, such as "updates[].colour", that a value
// of that type has no field for. It does not look into types with an UnmarshalJSON
// of their own.
func findUnread(text json.RawMessage, t reflect.Type, at string, found map[string]bool) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return
	}
	switch t.Kind() {
	case reflect.Slice:
		var list []json.RawMessage
		if json.Unmarshal(text, &list) == nil {
			for _, one := range list {
				findUnread(one, t.Elem(), at+"[]", found)
			}
		}
	case reflect.Struct:
		var object map[string]json.RawMessage
		if json.Unmarshal(text, &object) != nil {
			return
		}
		fields := jsonFields(t)
		for name, value := range object {
			path := strings.TrimPrefix(at+"."+plainName(name), ".")
			if field, known := fields[strings.ToLower(name)]; known {
				findUnread(value, field, path, found)
			} else if len(found) < 100*warnedFields {
				found[path] = true
			}
		}
	}
}

// jsonFields are the names that encoding/json knows a struct's fields by, in lower
// case.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			fields[strings.ToLower(name)] = f.Type
		}
	}
	return fields
}

// plainName replaces in a client's field name what may not stand in a header.
func plainName(name string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("_-.:/", c) {
			return c
		}
		return '?'
	}, name[:min(len(name), warnedLength)])
}
