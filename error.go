package renga

import (
	"errors"
	"fmt"
)

// Kind classes an error. API and registry each have one table from kinds to
// their own status codes.
type Kind string

// The kinds. An error without one is Internal: its text is for the log only.
const (
	Internal     Kind = "internal"     // a fault of ours; the text is not shown
	Invalid      Kind = "invalid"      // the request cannot be fulfilled as it stands
	NotFound     Kind = "not_found"    // no such thing, or none that the asker may see
	Conflict     Kind = "conflict"     // it was changed or taken meanwhile
	Unconfirmed  Kind = "unconfirmed"  // possible, once whoever asks says that it is meant
	Forbidden    Kind = "forbidden"    // known, and not allowed
	Unauthorized Kind = "unauthorized" // not known
	TooMany      Kind = "too_many"     // asked too often; try again later
	Unavailable  Kind = "unavailable"  // a part of the platform is away; try again
	NoSpace      Kind = "no_space"     // the disk is full, or nearly
)

// Error is an error that a user may read. Message is one or two sentences that
// say what is wrong and what to do, without secrets.
type Error struct {
	Kind    Kind
	Message string
	Err     error // the cause, for the log; may be nil
}

// Errorf makes an Error of that kind. A %w in format becomes its cause.
func Errorf(kind Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: err.Error(), Err: errors.Unwrap(err)}
}

// Error is the message alone.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf finds the kind of err; errors without one are Internal. It is the
// empty string for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// MessageOf is the text of err that a user may read; fallback when it has none.
func MessageOf(err error, fallback string) string {
	var e *Error
	if errors.As(err, &e) && e.Kind != Internal {
		return e.Message
	}
	return fallback
}
