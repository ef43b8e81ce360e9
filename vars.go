package renga

import (
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// MaxVarsBytes bounds an app's config vars: names and values together.
const MaxVarsBytes = 64 << 10

// Vars are environment variables: name to value. Values are secret: a Vars
// prints as "[redacted]" and refuses to be marshalled by accident, so that no
// log line, error or JSON answer can hold one unless somebody takes the values
// out by name.
type Vars map[string]string

// String hides the values.
func (Vars) String() string { return "[redacted]" }

// GoString hides the values from %#v.
func (Vars) GoString() string { return "[redacted]" }

// LogValue hides the values from slog.
func (Vars) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalJSON hides the values: whoever may write them converts to a plain
// map[string]string first.
func (Vars) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// Names lists the variables' names in order.
func (v Vars) Names() []string { return slices.Sorted(maps.Keys(v)) }

// Clone is a copy that shares nothing with v; it is never nil.
func (v Vars) Clone() Vars {
	c := make(Vars, len(v))
	maps.Copy(c, v)
	return c
}

// Bytes is the size that counts against [MaxVarsBytes].
func (v Vars) Bytes() int {
	n := 0
	for name, value := range v {
		n += len(name) + len(value)
	}
	return n
}

// Merge lays the given sets over each other; the later wins.
func Merge(sets ...Vars) Vars {
	all := Vars{}
	for _, set := range sets {
		maps.Copy(all, set)
	}
	return all
}

var varName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ownNames are set by the dyno manager; a config var of that name would
// never reach the app.
var ownNames = map[string]bool{"PORT": true, "DYNO": true}

// ValidateVarName tells whether a user may set a config var of that name:
// letters, digits and underscores, no digit first, no two underscores first,
// not HEROKU_…, which is the platform's, nor PORT or DYNO, which the dyno
// manager sets.
func ValidateVarName(name string) error {
	switch {
	case len(name) > 256:
		return Errorf(Invalid, "Config var name %q is longer than 256 characters.", Clip(name, 40))
	case !varName.MatchString(name):
		return Errorf(Invalid, "Config var name %q is invalid: use letters, digits and underscores, and no digit first.",
			Clip(name, 40))
	case strings.HasPrefix(name, "__"):
		return Errorf(Invalid, "Config var name %q is invalid: it must not start with two underscores.", name)
	case strings.HasPrefix(name, "HEROKU_"):
		return Errorf(Invalid, "Config var name %q is reserved: names starting with HEROKU_ are set by the platform.", name)
	case ownNames[name]:
		return Errorf(Invalid, "Config var name %q is reserved: the platform sets it for each dyno.", name)
	}
	return nil
}

// ValidateVars checks every name, that no value holds a NUL byte, and the size
// of all together.
func ValidateVars(v Vars) error {
	for _, name := range v.Names() {
		if err := ValidateVarName(name); err != nil {
			return err
		}
		if strings.ContainsRune(v[name], 0) {
			return Errorf(Invalid, "The value of config var %q holds a NUL byte, which no environment variable can.", name)
		}
	}
	if n := v.Bytes(); n > MaxVarsBytes {
		return Errorf(Invalid, "Config vars must not exceed %d bytes in total; these would be %d.", MaxVarsBytes, n)
	}
	return nil
}
