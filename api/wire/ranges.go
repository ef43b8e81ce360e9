package wire

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Lists are paged as on Heroku: the request's Range header names a field, bounds, a
// maximum and an order, "version 5..; max=10, order=desc". A list with further
// elements is answered with 206 and a Next-Range header, which is the next
// request's Range (devcenter, Platform API Reference, "Ranges").

// The number of elements of a page: by default, and at most.
const (
	DefaultPage = 200
	MaxPage     = 1000
)

// Span is a parsed Range header.
type Span struct {
	Field    string
	From, To bound
	Max      int
	Desc     bool
}

// bound is one end of a span; an empty value leaves it open.
type bound struct {
	Value     string
	Exclusive bool
}

// String writes the span as a Range header.
func (sp Span) String() string {
	from, to := sp.From.Value, sp.To.Value
	if sp.From.Exclusive {
		from = "]" + from
	}
	if sp.To.Exclusive {
		to += "["
	}
	s := fmt.Sprintf("%s %s..%s; max=%d", sp.Field, from, to, sp.Max)
	if sp.Desc {
		s += ", order=desc"
	}
	return s
}

// after gives the span that begins after the last element of a page.
func (sp Span) after(last string) Span {
	if sp.Desc {
		sp.To = bound{Value: last, Exclusive: true}
	} else {
		sp.From = bound{Value: last, Exclusive: true}
	}
	return sp
}

// ParseRange reads a Range header. If it names no field, the first of fields is
// taken. It accepts what clients send in different forms: an empty header and other
// units (bytes=0-99) are no range; options are separated by commas or semicolons;
// unknown options are ignored; a max above 1000 is 1000.
func ParseRange(header string, fields ...string) (Span, error) {
	sp := Span{Field: fields[0], Max: DefaultPage}
	head, options, _ := strings.Cut(strings.TrimSpace(header), ";")
	head = strings.TrimSpace(head)
	if strings.HasPrefix(head, "bytes=") {
		return sp, nil
	}
	if head != "" {
		if err := sp.readBounds(head, fields); err != nil {
			return Span{}, err
		}
	}
	for _, option := range strings.FieldsFunc(options, func(r rune) bool { return r == ';' || r == ',' }) {
		if err := sp.readOption(option); err != nil {
			return Span{}, err
		}
	}
	return sp, nil
}

// readBounds reads "field [from]..[to]".
func (sp *Span) readBounds(head string, fields []string) error {
	field, bounds, named := strings.Cut(head, " ")
	if !named {
		field, bounds = sp.Field, head
		if slices.Contains(fields, head) {
			field, bounds = head, ".."
		}
	}
	if !slices.Contains(fields, field) {
		return BadRequest("Lists here have no range over %q; use %s.", Clip(field), strings.Join(fields, ", "))
	}
	from, to, ok := strings.Cut(bounds, "..")
	if !ok {
		return BadRequest("Invalid Range header; use a form like `%s ..; max=10, order=desc`.", fields[0])
	}
	sp.Field, sp.From, sp.To = field, readFrom(from), readTo(to)
	return nil
}

// readFrom reads a lower bound: "]5" is above 5, "5" and "[5" are from 5 on.
func readFrom(s string) bound {
	s = strings.TrimSpace(s)
	value := strings.TrimSpace(strings.TrimLeft(s, "[]"))
	return bound{Value: value, Exclusive: value != "" && strings.HasPrefix(s, "]")}
}

// readTo reads an upper bound: "5[" is below 5, "5" and "5]" are up to 5.
func readTo(s string) bound {
	s = strings.TrimSpace(s)
	value := strings.TrimSpace(strings.TrimRight(s, "[]"))
	return bound{Value: value, Exclusive: value != "" && strings.HasSuffix(s, "[")}
}

func (sp *Span) readOption(option string) error {
	name, value, _ := strings.Cut(strings.TrimSpace(option), "=")
	switch value = strings.TrimSpace(value); strings.TrimSpace(name) {
	case "max":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return BadRequest("Invalid Range header: max must be a number from 1 to %d.", MaxPage)
		}
		sp.Max = min(n, MaxPage)
	case "order":
		if value != "asc" && value != "desc" {
			return BadRequest("Invalid Range header: order must be asc or desc.")
		}
		sp.Desc = value == "desc"
	}
	return nil
}

// ReplyPage sends one page of a list. First and last are the field's values of its
// first and last element.
func ReplyPage(w http.ResponseWriter, page any, sp Span, first, last string, more bool, fields ...string) error {
	status := http.StatusOK
	w.Header().Set("Accept-Ranges", strings.Join(fields, ", "))
	if first != "" {
		w.Header().Set("Content-Range", fmt.Sprintf("%s %s..%s", sp.Field, first, last))
	}
	if more {
		status = http.StatusPartialContent
		w.Header().Set("Next-Range", sp.after(last).String())
	}
	return Answer(w, status, page)
}
