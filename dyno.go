package renga

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// DynoState is what a dyno does, in Heroku's words.
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
	// Reason says why it is not up: an exit code, a code such as R10.
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

// Desired is all the dyno manager must know to put an app right.
type Desired struct {
	App       App
	Formation Formation
	// Live is the release that serves: the newest that succeeded, or the newest
	// of all when none with an image ever did. Nil when there is none with images.
	Live *ReleaseRecord
	// Next is the newest release while it is pending; nil otherwise. It takes
	// Live's place once its dynos are up.
	Next *ReleaseRecord
	// Barred is the newest release when it must never run; 0 otherwise.
	Barred int
	// Restarts says that dynos created before a time are to be replaced. Keys
	// are dyno names, process types, or RestartAll.
	Restarts map[string]time.Time
	// Hosts are the custom domains; the default host comes from the name.
	Hosts []string
	// AsleepSince is when the app fell asleep; zero when it is awake. Whether it
	// still sleeps tells [Desired.Asleep].
	AsleepSince time.Time
}

// RestartAll is the key in Desired.Restarts that means every dyno.
const RestartAll = "*"

// RestartedAfter is the newest restart that concerns a dyno; zero when none.
func (d Desired) RestartedAfter(name string, t ProcessType) time.Time {
	var newest time.Time
	for _, key := range []string{RestartAll, string(t), name} {
		if at := d.Restarts[key]; at.After(newest) {
			newest = at
		}
	}
	return newest
}

// Route is all the router must know of one app. It is replaced whole.
type Route struct {
	App     AppID
	Name    string
	Hosts   []string // lower case, without port; none removes the app
	Targets []Target
	// Canary are dynos of a release that is tried: beside Targets they are asked
	// Percent of the requests.
	Canary  []Target
	Percent int
	// Idle says what to answer when there are no targets.
	Idle        Idle
	Maintenance bool
	Pages       Pages // instead of the router's own
}

// Target is one web dyno that may be asked.
type Target struct {
	ID   string // the dyno's id
	Dyno string // web.1
	Addr string // host:port
}

// Tally is what became of the requests that a target was asked.
type Tally struct {
	Requests int64
	Failed   int64 // answered with 500 and above, by the app or for it
}

// Idle is why an app has no target.
type Idle string

// The reasons. The router answers each with Heroku's code.
const (
	IdleNone     Idle = ""         // it has targets
	IdleBlank    Idle = "blank"    // no release with an image yet: H81
	IdleScaled   Idle = "scaled"   // no web dynos wanted: H14
	IdleStarting Idle = "starting" // they are on their way: wait, then H20
	IdleCrashed  Idle = "crashed"  // they crashed: H10
	IdleAsleep   Idle = "asleep"   // they sleep: wake them and wait, then H20
)

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
