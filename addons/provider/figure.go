package provider

import (
	"strconv"
	"strings"

	"renga"
)

// maxFigure bounds what is kept of a command that prints a number.
const maxFigure = 64

// Figure takes what one of the catalogue's commands prints for a measure: a number.
// What is too long for one is dropped.
type Figure struct{ text []byte }

// Write takes a piece. It has no error.
func (f *Figure) Write(p []byte) (int, error) {
	f.text = append(f.text, p[:min(len(p), maxFigure-len(f.text))]...)
	return len(p), nil
}

// Number is the number, once all is printed.
func (f *Figure) Number(i Instance, measure string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(string(f.text)), 10, 64)
	if err != nil { // says what was printed, which is left out
		return 0, renga.Errorf(renga.Unavailable, "%s printed no number for its measure %s: correct the catalogue's command.",
			i.Service.Name, measure)
	}
	return n, nil
}
