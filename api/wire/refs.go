package wire

import (
	"maps"
	"slices"
	"time"

	"renga"
)

// OrNull is a text on the wire that is null when there is none.
func OrNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// OnlyID names a resource by nothing but its id.
type OnlyID struct {
	ID string `json:"id"`
}

// Names lists a map's keys in order; never nil, which JSON would write as null.
func Names[V any](m map[string]V) []string {
	all := slices.AppendSeq(make([]string, 0, len(m)), maps.Keys(m))
	slices.Sort(all)
	return all
}

// StampOrNull is null for a time that never was.
func StampOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	at := Stamp(t)
	return &at
}

// There is one stack: images.
const (
	StackName = "container"
	StackID   = "69ba1b2c-3b2f-5d2e-8f34-6a7a3b3f5b01"
)

// StackRef names the one stack.
func StackRef() Ref { return Ref{ID: StackID, Name: StackName} }

// Ref names a resource inside another.
type Ref struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Set changes what a body names.
func Set[T any](field *T, asked *T) {
	if asked != nil {
		*field = *asked
	}
}

// generationID is that of the one generation there is, called as on Heroku.
const generationID = "5ae2d3ab-4b9f-5c4e-9a0b-0b6a3d3a9a11"

// GenerationRef names the one generation.
func GenerationRef() Ref { return Ref{ID: generationID, Name: "cedar"} }

// AppRef names an app.
func AppRef(a renga.App) Ref { return Ref{ID: string(a.ID), Name: a.Name} }

// StatusOnWire knows no superseded releases: Heroku's only fail when their
// release command does.
func StatusOnWire(s renga.ReleaseStatus) string {
	if s == renga.Superseded {
		s = renga.Succeeded
	}
	return string(s)
}
