package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// list answers a list that lies in memory: the page that the request's Range
// header asks for. Columns are the fields that the header may name; the first
// one orders the list when it names none. Every list is answered by list, by
// listAs, or, where the store pages by itself, by replyPage.
//
//	return list(w, r, wires,
//		by("id", func(k key) string { return k.ID }),
//		by("email", func(k key) string { return k.Email }))
func list[T any](w http.ResponseWriter, r *http.Request, items []T, columns ...column[T]) error {
	return listAs(w, r, items, func(page []T) ([]T, error) { return page, nil }, columns...)
}

// listAs is list for elements that are dear to complete: show makes those of
// the page for the wire.
func listAs[T, W any](w http.ResponseWriter, r *http.Request, items []T, show func(page []T) ([]W, error), columns ...column[T]) error {
	fields := make([]string, len(columns))
	for i, col := range columns {
		fields[i] = col.field
	}
	sp, err := parseRange(r.Header.Get("Range"), fields...)
	if err != nil {
		return err
	}
	col := columns[slices.Index(fields, sp.field)]
	page, more, err := cut(items, sp, col)
	if err != nil {
		return err
	}
	shown, err := show(page)
	if err != nil {
		return err
	}
	var first, last string
	if len(page) > 0 {
		first, last = col.key(page[0]), col.key(page[len(page)-1])
	}
	return replyPage(w, append([]W{}, shown...), sp, first, last, more, fields...) // an empty list is [], never null
}

// column is a field by which a list in memory can be ordered and cut.
type column[T any] struct {
	field string
	// key orders the elements as strings. No two have the same one, for a page
	// goes on behind the key of the last element. Keys are free of "..", ";", ","
	// and spaces.
	key func(T) string
	// bound turns a client's value into one that compares with keys: the least
	// that the value means, or with above the greatest. Nil takes it as it is.
	bound func(value string, above bool) (string, error)
}

// by is a column whose values are unique strings, such as ids and names.
func by[T any](field string, key func(T) string) column[T] {
	return column[T]{field: field, key: key}
}

// byTime is a column of times, with the id that tells apart what happened at
// the same time.
func byTime[T any](field string, read func(T) (time.Time, string)) column[T] {
	return column[T]{field: field, bound: timeBound, key: func(item T) string {
		t, id := read(item)
		return timeKey(t) + "/" + id
	}}
}

// byNumber is a column of numbers from 0 on, with the id that tells apart
// equals.
func byNumber[T any](field string, read func(T) (int, string)) column[T] {
	return column[T]{field: field, bound: numberBound, key: func(item T) string {
		n, id := read(item)
		return numberKey(n) + "/" + id
	}}
}

// cut takes the part of a list that a span asks for, in its order, and tells
// whether there is more.
func cut[T any](items []T, sp span, col column[T]) (part []T, more bool, err error) {
	from, to, err := col.bounds(sp)
	if err != nil {
		return nil, false, err
	}
	for _, item := range items {
		key := col.key(item)
		low := sp.from.value == "" || key > from || key == from && !sp.from.exclusive
		high := sp.to.value == "" || key < to || key == to && !sp.to.exclusive
		if low && high {
			part = append(part, item)
		}
	}
	slices.SortFunc(part, func(a, b T) int {
		if sp.desc {
			a, b = b, a
		}
		return cmp.Compare(col.key(a), col.key(b))
	})
	if len(part) > sp.max {
		return part[:sp.max], true, nil
	}
	return part, false, nil
}

// bounds are the span's ends as keys. A coarse value, a time in seconds, means
// all that lies in it, so an exclusive end of it leaves all of it out.
func (col column[T]) bounds(sp span) (from, to string, err error) {
	if col.bound == nil {
		return sp.from.value, sp.to.value, nil
	}
	if sp.from.value != "" {
		if from, err = col.bound(sp.from.value, sp.from.exclusive); err != nil {
			return "", "", err
		}
	}
	if sp.to.value != "" {
		to, err = col.bound(sp.to.value, !sp.to.exclusive)
	}
	return from, to, err
}

// A key of two parts is what the client knows and, behind a slash, what makes
// it unique. behindAll ends a bound that is to lie above all with that value.
const behindAll = "/~"

// timeKey is a time that compares as a string.
func timeKey(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }

// timeBound reads a time as clients write it, or a key as Next-Range gives it.
func timeBound(value string, above bool) (string, error) {
	text, id, exact := strings.Cut(value, "/")
	t, err := time.Parse(time.RFC3339Nano, text)
	switch {
	case err != nil:
		return "", badRequest("Invalid Range header: %q is no time like 2006-01-02T15:04:05Z.", clip(text))
	case exact:
		return timeKey(t) + "/" + id, nil
	case above && t.Nanosecond() == 0:
		t = t.Add(time.Second - time.Nanosecond)
	}
	if above {
		return timeKey(t) + behindAll, nil
	}
	return timeKey(t), nil
}

// numberKey is a number that compares as a string.
func numberKey(n int) string { return fmt.Sprintf("%010d", n) }

// numberBound reads a number as clients write it, or a key as Next-Range gives
// it.
func numberBound(value string, above bool) (string, error) {
	text, id, exact := strings.Cut(value, "/")
	n, err := strconv.ParseUint(text, 10, 31)
	switch {
	case err != nil:
		return "", badRequest("Invalid Range header: %q is no number from 0 to %d.", clip(text), 1<<31-1)
	case exact:
		return numberKey(int(n)) + "/" + id, nil
	case above:
		return numberKey(int(n)) + behindAll, nil
	}
	return numberKey(int(n)), nil
}
