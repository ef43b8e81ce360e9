package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"renga"
)

// Decode reads a JSON body into what into points at. An empty body changes nothing.
// Unknown fields are ignored, as on Heroku, and the answer warns of them. A body
// that is not JSON is a bad request, one of another media type is unsupported, and
// a field of a wrong type is an invalid parameter. Messages never repeat the body.
func Decode(r *http.Request, into any) error {
	body, err := ReadBody(r)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if kind := r.Header.Get("Content-Type"); !mayBeJSON(kind) {
		return &Problem{
			kind: renga.Invalid, status: http.StatusUnsupportedMediaType, id: "unsupported_media_type",
			message: fmt.Sprintf(
				"A body of type %q is not understood; send JSON, with Content-Type: application/json.", Clip(kind),
			),
		}
	}
	if !utf8.Valid(body) {
		return BadRequest("The request body is not valid UTF-8.")
	}
	if err := json.Unmarshal(body, into); err != nil {
		return Mistyped(err)
	}
	warnOfUnread(r, body, into)
	return nil
}

// ReadBody reads a body to its end. One that is too large, or breaks off, is an error
// for whoever sent it.
func ReadBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, unreadable(err)
	}
	return body, nil
}

// mayBeJSON tells whether a body of a declared content type is read as JSON. That
// includes forms, because curl declares one unless told otherwise.
func mayBeJSON(contentType string) bool {
	return contentType == "" || isJSON(contentType) ||
		strings.HasPrefix(contentType, "application/x-www-form-urlencoded")
}

func unreadable(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &Problem{
			kind: renga.Invalid, status: http.StatusRequestEntityTooLarge, id: "request_entity_too_large",
			message: fmt.Sprintf("The request body is larger than %d bytes.", tooLarge.Limit),
		}
	}
	return BadRequest("The request body could not be read to its end.")
}

// Mistyped turns encoding/json's errors into ours, because their texts may contain
// a part of the body.
func Mistyped(err error) error {
	var (
		own   *Problem
		typed *json.UnmarshalTypeError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case errors.As(err, &typed) && typed.Field != "":
		return Invalid("Field %q must be %s.", Clip(typed.Field), kindName(typed.Type))
	case errors.As(err, &typed):
		return Invalid("The request body must be a JSON object.")
	default:
		return BadRequest("The request body is not valid JSON.")
	}
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "an array"
	default:
		return "an object"
	}
}

// Empty is an answer without content.
type Empty struct{}

// reply sends an answer. Caches must not store answers, because they may contain
// config vars.
func reply(w http.ResponseWriter, status int, body any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		panic(fmt.Errorf("encode %T: %w", body, err)) // a struct that JSON cannot encode is a bug
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "private, no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes()) // a client that has left needs no answer
}

// Answer sends an answer and returns nil, for the last line of a handler.
func Answer(w http.ResponseWriter, status int, body any) error {
	reply(w, status, body)
	return nil
}

// Stamp writes a time as answers have it: RFC 3339, UTC, whole seconds.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
