package wire

import (
	"encoding/json"
	"net/http"

	"renga"
)

// NewConfigVars puts config vars on the wire, values and all: this is the one
// answer they are for.
func NewConfigVars(v renga.Vars) map[string]string { return v.Clone() }

// DecodeChanges reads the config vars to set, and to remove where they are
// null. A value that is no string is refused by its name: 1 and "1" may mean
// different things to whoever wrote them.
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
