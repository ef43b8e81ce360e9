package catalogue

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"renga"
)

// lineError says what is wrong on a line of a file. It is the library's type: so
// the library collects several, and goes on reading.
func lineError(line int, format string, args ...any) error {
	return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: ", line) + fmt.Sprintf(format, args...)}}
}

// clip shortens what a file says for a message.
func clip(s string) string { return renga.Clip(s, 60) }
