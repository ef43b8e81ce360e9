package api

import (
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
