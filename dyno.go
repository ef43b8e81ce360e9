package renga

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// DynoState is the state of a dyno, in Heroku's words.
type DynoState string

// The states of a dyno.
const (
	Starting DynoState = "starting"
	Up       DynoState = "up"
	Crashed  DynoState = "crashed"
	Down     DynoState = "down"
	Asleep   DynoState = "idle" // until the next request
)

// Dyno is one running copy of a process type, as last seen.
type Dyno struct {
	ID      string // a UUID, new for every start
	App     AppID
	Name    string // web.1
	Type    ProcessType
	Size    string
	Release int
	Command []string
	State   DynoState
	Since   time.Time // when it came into State
	Created time.Time
	// Reason says why it is not up: an exit code, or a code such as R10.
	Reason string
	// Exit says how its process ended; nil as long as it did not.
	Exit *Exit
}

// Exit is how a dyno's process ended.
type Exit struct {
	Code        int
	OutOfMemory bool // it was killed, for it used more memory than it may
	LastLines   []string
}

// DynoName is "type.n", counted from 1.
func DynoName(t ProcessType, n int) string { return fmt.Sprintf("%s.%d", t, n) }

// ParseDynoName is the reverse of DynoName.
func ParseDynoName(name string) (t ProcessType, n int, err error) {
	head, tail, ok := strings.Cut(name, ".")
	n, convErr := strconv.Atoi(tail)
	if !ok || convErr != nil || n < 1 || strconv.Itoa(n) != tail || !processType.MatchString(head) {
		return "", 0, Errorf(Invalid, "%q is no dyno's name; they are like web.1.", Clip(name, 40))
	}
	return ProcessType(head), n, nil
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./$-]+$`)

// CommandLine writes an argument vector as a shell would take it.
func CommandLine(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		if !plainWord.MatchString(word) {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		words[i] = word
	}
	return strings.Join(words, " ")
}
