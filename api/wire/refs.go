package wire

import (
	"maps"
	"slices"
	"time"

	"renga"
)

// OrNull gives nil, JSON's null, for an empty text.
func OrNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// OnlyID refers to a resource by its id alone.
type OnlyID struct {
	ID string `json:"id"`
}

// Names lists a map's keys in order. It is never nil, which JSON would write as
// null.
func Names[V any](m map[string]V) []string {
	all := slices.AppendSeq(make([]string, 0, len(m)), maps.Keys(m))
	slices.Sort(all)
	return all
}

// StampOrNull is Stamp, and nil for the zero time.
func StampOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	at := Stamp(t)
	return &at
}

// The only stack: images.
const (
	StackName = "container"
	StackID   = "69ba1b2c-3b2f-5d2e-8f34-6a7a3b3f5b01"
)

// StackRef refers to the only stack.
func StackRef() Ref { return Ref{ID: StackID, Name: StackName} }

// Ref refers to a resource inside another.
type Ref struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Set changes a field if the body has it.
func Set[T any](field *T, asked *T) {
	if asked != nil {
		*field = *asked
	}
}

// generationID is the id of the only generation, cedar.
const generationID = "5ae2d3ab-4b9f-5c4e-9a0b-0b6a3d3a9a11"

// GenerationRef refers to the only generation.
func GenerationRef() Ref { return Ref{ID: generationID, Name: "cedar"} }

// AppRef refers to an app.
func AppRef(a renga.App) Ref { return Ref{ID: string(a.ID), Name: a.Name} }

// ReleaseStatus gives a release's status in Heroku's words. A superseded release has
// succeeded there, because a release fails only when its release command does.
func ReleaseStatus(s renga.ReleaseStatus) string {
	if s == renga.Superseded {
		s = renga.Succeeded
	}
	return string(s)
}
