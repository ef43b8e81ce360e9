package renga

import (
	"maps"
	"regexp"
	"slices"
	"time"
)

// ProcessType names a kind of dyno of an app: web, worker, clock.
type ProcessType string

// Process types with a meaning of their own.
const (
	// Web is the one that gets HTTP requests.
	Web ProcessType = "web"
	// ReleaseType is the process type of the release command, which runs once for
	// each release, before that release's dynos. It has no dynos of its own.
	ReleaseType ProcessType = "release"
)

var processType = regexp.MustCompile(`^[a-z](?:[a-z0-9]|[-_][a-z0-9])*$`)

// reservedTypes are names of repositories or dynos that the platform uses
// itself.
var reservedTypes = map[ProcessType]bool{"releases": true, "run": true, "console": true}

// ValidateProcessType tells whether t may name a process type: up to 30
// characters, lower case letters, digits, single dashes and underscores, a
// letter first.
func ValidateProcessType(t ProcessType) error {
	switch {
	case len(t) > 30 || !processType.MatchString(string(t)):
		return Errorf(Invalid, "Process type %q is invalid: use up to 30 lowercase letters, digits and single dashes, and "+
			"a letter first.", Clip(string(t), 40))
	case reservedTypes[t]:
		return Errorf(Invalid, "Process type %q is reserved for the platform.", t)
	}
	return nil
}

// Formation is how many dynos of which size each process type has. It is kept
// across releases.
type Formation map[ProcessType]Scale

// Scale is one process type's part of a formation.
type Scale struct {
	Quantity  int
	Size      string // a name from the platform's sizes, see Size
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Types lists the process types in order, web first.
func (f Formation) Types() []ProcessType {
	types := slices.Sorted(maps.Keys(f))
	if i := slices.Index(types, Web); i > 0 {
		types = slices.Insert(slices.Delete(types, i, i+1), 0, Web)
	}
	return types
}

// Size is what a dyno may use. Names are Heroku's, in lower case.
type Size struct {
	Name        string
	MemoryBytes int64
	// CPUs is the number of processors the dyno may use at most; it may be a
	// fraction.
	CPUs float64
	// Pids bounds processes and threads.
	Pids int64
	// DiskBytes bounds what the dyno has on its own disk besides its image; 0 for no
	// bound.
	DiskBytes int64
}

// DefaultSize is what a new process type gets.
const DefaultSize = "standard-1x"

// MaxQuantity bounds the dynos of one process type on one machine.
const MaxQuantity = 100
