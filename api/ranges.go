package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Heroku's paging of lists: the request's Range header names a field, bounds, a
// maximum and an order, "version 5..; max=10, order=desc". A list that goes on
// is answered with 206 and a Next-Range header, which is the next request's
// Range (devcenter, Platform API Reference, "Ranges").

const (
	defaultPage = 200
	maxPage     = 1000
)

// span is a parsed Range header.
type span struct {
	field    string
	from, to bound
	max      int
	desc     bool
}

// bound is one end of a span; an empty value leaves it open.
type bound struct {
	value     string
	exclusive bool
}

// String writes the span as a Range header.
func (sp span) String() string {
	from, to := sp.from.value, sp.to.value
	if sp.from.exclusive {
		from = "]" + from
	}
	if sp.to.exclusive {
		to += "["
	}
	s := fmt.Sprintf("%s %s..%s; max=%d", sp.field, from, to, sp.max)
	if sp.desc {
		s += ", order=desc"
	}
	return s
}

// after is the span that goes on behind the last element shown.
func (sp span) after(last string) span {
	if sp.desc {
		sp.to = bound{value: last, exclusive: true}
	} else {
		sp.from = bound{value: last, exclusive: true}
	}
	return sp
}

// parseRange reads a Range header. The first of fields is taken when none is
// named. It is lenient where clients differ: an empty header and other units
// (bytes=0-99) are no range; options may be parted by commas or semicolons;
// options that are not known are ignored; a max above 1000 is 1000.
func parseRange(header string, fields ...string) (span, error) {
	sp := span{field: fields[0], max: defaultPage}
	head, options, _ := strings.Cut(strings.TrimSpace(header), ";")
	head = strings.TrimSpace(head)
	if strings.HasPrefix(head, "bytes=") {
		return sp, nil
	}
	if head != "" {
		if err := sp.readBounds(head, fields); err != nil {
			return span{}, err
		}
	}
	for _, option := range strings.FieldsFunc(options, func(r rune) bool { return r == ';' || r == ',' }) {
		if err := sp.readOption(option); err != nil {
			return span{}, err
		}
	}
	return sp, nil
}

// readBounds reads "field [from]..[to]".
func (sp *span) readBounds(head string, fields []string) error {
	field, bounds, named := strings.Cut(head, " ")
	if !named {
		field, bounds = sp.field, head
		if slices.Contains(fields, head) {
			field, bounds = head, ".."
		}
	}
	if !slices.Contains(fields, field) {
		return badRequest("Lists here have no range over %q; use %s.", clip(field), strings.Join(fields, ", "))
	}
	from, to, ok := strings.Cut(bounds, "..")
	if !ok {
		return badRequest("Invalid Range header; use a form like `%s ..; max=10, order=desc`.", fields[0])
	}
	sp.field, sp.from, sp.to = field, readFrom(from), readTo(to)
	return nil
}

// readFrom reads a lower bound: "]5" is above 5, "5" and "[5" are from 5 on.
func readFrom(s string) bound {
	s = strings.TrimSpace(s)
	value := strings.TrimSpace(strings.TrimLeft(s, "[]"))
	return bound{value: value, exclusive: value != "" && strings.HasPrefix(s, "]")}
}

// readTo reads an upper bound: "5[" is below 5, "5" and "5]" are up to 5.
func readTo(s string) bound {
	s = strings.TrimSpace(s)
	value := strings.TrimSpace(strings.TrimRight(s, "[]"))
	return bound{value: value, exclusive: value != "" && strings.HasSuffix(s, "[")}
}

func (sp *span) readOption(option string) error {
	name, value, _ := strings.Cut(strings.TrimSpace(option), "=")
	switch value = strings.TrimSpace(value); strings.TrimSpace(name) {
	case "max":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return badRequest("Invalid Range header: max must be a number from 1 to %d.", maxPage)
		}
		sp.max = min(n, maxPage)
	case "order":
		if value != "asc" && value != "desc" {
			return badRequest("Invalid Range header: order must be asc or desc.")
		}
		sp.desc = value == "desc"
	}
	return nil
}

// column is a field by which a list in memory can be ordered.
type column[T any] struct {
	key func(T) string
	// bound turns a client's value into one that compares with keys: the least
	// that the value means, or with above the greatest. Nil takes it as it is.
	bound func(value string, above bool) (string, error)
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

// replyPage sends one page of a list. first and last are the field's values at
// its ends.
func replyPage(w http.ResponseWriter, page any, sp span, first, last string, more bool, fields ...string) error {
	status := http.StatusOK
	w.Header().Set("Accept-Ranges", strings.Join(fields, ", "))
	if first != "" {
		w.Header().Set("Content-Range", fmt.Sprintf("%s %s..%s", sp.field, first, last))
	}
	if more {
		status = http.StatusPartialContent
		w.Header().Set("Next-Range", sp.after(last).String())
	}
	return answer(w, status, page)
}
