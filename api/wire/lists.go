package wire

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// List answers a list that lies in memory: the page that the request's Range
// header asks for. Columns are the fields that the header may name; the first
// one orders the list when it names none. Every list is answered by list, by
// listAs, or, where the store pages by itself, by replyPage.
//
//	return list(w, r, wires,
//		by("id", func(k key) string { return k.ID }),
//		by("email", func(k key) string { return k.Email }))
func List[T any](w http.ResponseWriter, r *http.Request, items []T, columns ...Column[T]) error {
	return ListAs(w, r, items, func(page []T) ([]T, error) { return page, nil }, columns...)
}

// ListAs is list for elements that are dear to complete: show makes those of
// the page for the wire.
func ListAs[T, W any](
	w http.ResponseWriter, r *http.Request, items []T, show func(page []T) ([]W, error), columns ...Column[T],
) error {
	fields := make([]string, len(columns))
	for i, col := range columns {
		fields[i] = col.Field
	}
	sp, err := ParseRange(r.Header.Get("Range"), fields...)
	if err != nil {
		return err
	}
	col := columns[slices.Index(fields, sp.Field)]
	page, more, err := Cut(items, sp, col)
	if err != nil {
		return err
	}
	shown, err := show(page)
	if err != nil {
		return err
	}
	var first, last string
	if len(page) > 0 {
		first, last = col.Key(page[0]), col.Key(page[len(page)-1])
	}
	return ReplyPage(w, append([]W{}, shown...), sp, first, last, more, fields...) // an empty list is [], never null
}

// Column is a field by which a list in memory can be ordered and cut.
type Column[T any] struct {
	Field string
	// key orders the elements as strings. No two have the same one, for a page
	// goes on behind the key of the last element. Keys are free of "..", ";", ","
	// and spaces.
	Key func(T) string
	// bound turns a client's value into one that compares with keys: the least
	// that the value means, or with above the greatest. Nil takes it as it is.
	Bound func(value string, above bool) (string, error)
}

// By is a column whose values are unique strings, such as ids and names.
func By[T any](field string, key func(T) string) Column[T] {
	return Column[T]{Field: field, Key: key}
}

// ByTime is a column of times, with the id that tells apart what happened at
// the same time.
func ByTime[T any](field string, read func(T) (time.Time, string)) Column[T] {
	return Column[T]{Field: field, Bound: timeBound, Key: func(item T) string {
		t, id := read(item)
		return timeKey(t) + "/" + id
	}}
}

// ByNumber is a column of numbers from 0 on, with the id that tells apart
// equals.
func ByNumber[T any](field string, read func(T) (int, string)) Column[T] {
	return Column[T]{Field: field, Bound: numberBound, Key: func(item T) string {
		n, id := read(item)
		return NumberKey(n) + "/" + id
	}}
}

// Cut takes the part of a list that a span asks for, in its order, and tells
// whether there is more.
func Cut[T any](items []T, sp Span, col Column[T]) (part []T, more bool, err error) {
	from, to, err := col.bounds(sp)
	if err != nil {
		return nil, false, err
	}
	for _, item := range items {
		key := col.Key(item)
		low := sp.From.Value == "" || key > from || key == from && !sp.From.Exclusive
		high := sp.To.Value == "" || key < to || key == to && !sp.To.Exclusive
		if low && high {
			part = append(part, item)
		}
	}
	slices.SortFunc(part, func(a, b T) int {
		if sp.Desc {
			a, b = b, a
		}
		return cmp.Compare(col.Key(a), col.Key(b))
	})
	if len(part) > sp.Max {
		return part[:sp.Max], true, nil
	}
	return part, false, nil
}

// bounds are the span's ends as keys. A coarse value, a time in seconds, means
// all that lies in it, so an exclusive end of it leaves all of it out.
func (col Column[T]) bounds(sp Span) (from, to string, err error) {
	if col.Bound == nil {
		return sp.From.Value, sp.To.Value, nil
	}
	if sp.From.Value != "" {
		if from, err = col.Bound(sp.From.Value, sp.From.Exclusive); err != nil {
			return "", "", err
		}
	}
	if sp.To.Value != "" {
		to, err = col.Bound(sp.To.Value, !sp.To.Exclusive)
	}
	return from, to, err
}

// BehindAll ends a bound that is to lie above all keys that begin with its value:
// a key of two parts is what the client knows and, behind a slash, what makes it
// unique.
const BehindAll = "/~"

// timeKey is a time that compares as a string.
func timeKey(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }

// timeBound reads a time as clients write it, or a key as Next-Range gives it.
func timeBound(value string, above bool) (string, error) {
	text, id, exact := strings.Cut(value, "/")
	t, err := time.Parse(time.RFC3339Nano, text)
	switch {
	case err != nil:
		return "", BadRequest("Invalid Range header: %q is no time like 2006-01-02T15:04:05Z.", Clip(text))
	case exact:
		return timeKey(t) + "/" + id, nil
	case above && t.Nanosecond() == 0:
		t = t.Add(time.Second - time.Nanosecond)
	}
	if above {
		return timeKey(t) + BehindAll, nil
	}
	return timeKey(t), nil
}

// NumberKey is a number that compares as a string.
func NumberKey(n int) string { return fmt.Sprintf("%010d", n) }

// numberBound reads a number as clients write it, or a key as Next-Range gives
// it.
func numberBound(value string, above bool) (string, error) {
	text, id, exact := strings.Cut(value, "/")
	n, err := strconv.ParseUint(text, 10, 31)
	switch {
	case err != nil:
		return "", BadRequest("Invalid Range header: %q is no number from 0 to %d.", Clip(text), 1<<31-1)
	case exact:
		return NumberKey(int(n)) + "/" + id, nil
	case above:
		return NumberKey(int(n)) + BehindAll, nil
	}
	return NumberKey(int(n)), nil
}
