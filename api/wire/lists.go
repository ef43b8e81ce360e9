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

// List answers with the page of a list in memory that the request's Range header
// asks for. Columns are the fields that the header may name; the first one orders
// the list when it names none. Every list is answered by List, by ListAs, or,
// where the store pages by itself, by ReplyPage.
//
//	return wire.List(w, r, keys,
//		wire.By("id", func(k key) string { return k.ID }),
//		wire.By("email", func(k key) string { return k.Email }))
func List[T any](w http.ResponseWriter, r *http.Request, items []T, columns ...Column[T]) error {
	return ListAs(w, r, items, func(page []T) ([]T, error) { return page, nil }, columns...)
}

// Each shows the elements of a page one by one, for ListAs.
func Each[T, W any](show func(T) (W, error)) func(page []T) ([]W, error) {
	return func(page []T) ([]W, error) {
		shown := make([]W, len(page))
		for i, one := range page {
			var err error
			if shown[i], err = show(one); err != nil {
				return nil, err
			}
		}
		return shown, nil
	}
}

// ListAs is List for elements that are expensive to complete: show completes only
// those of the page.
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

// Column is a field by which a list in memory is ordered and paged.
type Column[T any] struct {
	Field string
	// Key orders the elements as strings. It is unique, because the next page
	// begins after the key of the last element. It contains no "..", ";", "," or
	// space.
	Key func(T) string
	// Bound turns a client's value into one that compares with keys: the least that
	// the value means, or with above the greatest. Without Bound the value is taken
	// as it is.
	Bound func(value string, above bool) (string, error)
}

// By is a column whose values are unique strings, such as ids and names.
func By[T any](field string, key func(T) string) Column[T] {
	return Column[T]{Field: field, Key: key}
}

// ByTime is a column of times. The id distinguishes elements of the same time.
func ByTime[T any](field string, read func(T) (time.Time, string)) Column[T] {
	return Column[T]{Field: field, Bound: timeBound, Key: func(item T) string {
		t, id := read(item)
		return timeKey(t) + "/" + id
	}}
}

// ByNumber is a column of numbers from 0 up. The id distinguishes elements of the
// same number.
func ByNumber[T any](field string, read func(T) (int, string)) Column[T] {
	return Column[T]{Field: field, Bound: numberBound, Key: func(item T) string {
		n, id := read(item)
		return NumberKey(n) + "/" + id
	}}
}

// Cut gives the part of a list that a span asks for, in the span's order, and tells
// whether more elements follow.
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

// bounds gives the span's ends as keys. A time in seconds means every moment of
// that second, so an exclusive end leaves all of them out.
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

// AboveAll is appended to a value to get a bound above all keys that begin with it.
// Such a key has two parts: the value that the client knows and, after a slash, an
// id that makes it unique.
const AboveAll = "/~"

// timeKey is a time that compares as a string.
func timeKey(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }

// timeBound reads a time as clients write it, or a key from Next-Range.
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
		return timeKey(t) + AboveAll, nil
	}
	return timeKey(t), nil
}

// NumberKey is a number that compares as a string.
func NumberKey(n int) string { return fmt.Sprintf("%010d", n) }

// numberBound reads a number as clients write it, or a key from Next-Range.
func numberBound(value string, above bool) (string, error) {
	text, id, exact := strings.Cut(value, "/")
	n, err := strconv.ParseUint(text, 10, 31)
	switch {
	case err != nil:
		return "", BadRequest("Invalid Range header: %q is no number from 0 to %d.", Clip(text), 1<<31-1)
	case exact:
		return NumberKey(int(n)) + "/" + id, nil
	case above:
		return NumberKey(int(n)) + AboveAll, nil
	}
	return NumberKey(int(n)), nil
}
