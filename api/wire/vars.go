package wire

import (
	"encoding/json"
	"net/http"

	"renga"
)

// NewConfigVars makes the answer with the config vars and their values. Only the
// routes for config vars send it.
func NewConfigVars(v renga.Vars) map[string]string { return v.Clone() }

// DecodeChanges reads config vars to set, and with null to remove. It refuses a
// value that is no string, because 1 and "1" may mean different things to the
// client.
func DecodeChanges(r *http.Request) (map[string]*string, error) {
	var body map[string]json.RawMessage
	if err := Decode(r, &body); err != nil {
		return nil, err
	}
	changes := make(map[string]*string, len(body))
	for _, name := range Names(body) {
		var value *string
		if json.Unmarshal(body[name], &value) != nil {
			return nil, Invalid("Config var %q must be a string, or null to remove it.", Clip(name))
		}
		changes[name] = value
	}
	return changes, nil
}
