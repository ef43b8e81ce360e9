package partner

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"renga"
	"renga/addons/catalogue"
)

// answer is what a partner said, checked.
type answer struct {
	status  int
	id      string
	message string
	config  map[string]renga.Secret
}

// errUnknown says that the partner does not know the add-on.
type errUnknown struct {
	err    *renga.Error
	status int
}

// Error is what a user reads.
func (e errUnknown) Error() string { return e.err.Error() }

// Unwrap gives the error with its kind.
func (e errUnknown) Unwrap() error { return e.err }

const (
	maxMessage = 500
	maxID      = 255
)

// newAnswer reads an answer.
func newAnswer(s catalogue.Service, method string, status int, text []byte) (answer, error) {
	var body struct {
		ID      json.RawMessage    `json:"id"`
		Message string             `json:"message"`
		Config  map[string]*string `json:"config"`
	}
	malformed := len(text) > maxAnswer || json.Unmarshal(text, &body) != nil
	said := answer{status: status, message: plain(body.Message)}
	switch {
	case status < 200 || status > 299:
		return said, refusal(s, said)
	case method == http.MethodDelete:
		return said, nil // whatever it says besides
	case malformed && (method == http.MethodPost || len(strings.TrimSpace(string(text))) > 0):
		return said, renga.Errorf(renga.Unavailable, "%s answers with something that is no JSON object; it is asked again.",
			s.HumanName)
	}
	said.id = idOf(body.ID)
	set := renga.Vars{}
	said.config = map[string]renga.Secret{}
	for name, value := range body.Config {
		if value != nil {
			set[name], said.config[name] = *value, renga.Secret(*value)
		}
	}
	return said, s.CheckPartnerConfig(set)
}

// refusal is an answer that is no success, as an error.
func refusal(s catalogue.Service, said answer) error {
	message := said.message
	if message == "" {
		message = fmt.Sprintf("it answers %d.", said.status)
	}
	switch status := said.status; {
	case status == http.StatusNotFound || status == http.StatusGone:
		e := renga.Errorf(renga.Invalid, "%s knows no such add-on: %s", s.HumanName, message)
		return errUnknown{e, status}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return renga.Errorf(renga.Unavailable, "%s does not take the platform's password; the operator must put the right "+
			"one into the file of its secrets.", s.HumanName)
	case status < 400:
		return renga.Errorf(renga.Unavailable, "%s answers from another URL than the one that the catalogue says; the "+
			"operator must correct base_url.", s.HumanName)
	case status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500:
		return renga.Errorf(renga.Unavailable, "%s cannot do that now; it is asked again: %s", s.HumanName, message)
	}
	return renga.Errorf(renga.Invalid, "%s refuses: %s", s.HumanName, message)
}

// idOf is a partner's id, which may be a number.
func idOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	if text == "null" || len(text) > maxID || strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) {
		return ""
	}
	return text
}

// plain is a partner's message as people may see it: on one line, without what
// moves a terminal's cursor.
func plain(message string) string {
	clean := strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t':
			return ' '
		case !unicode.IsPrint(c):
			return -1
		}
		return c
	}, strings.ToValidUTF8(message, ""))
	return renga.Clip(strings.TrimSpace(clean), maxMessage)
}
