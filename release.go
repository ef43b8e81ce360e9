package renga

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Inputs are what a release is made of, and all that may change between two.
type Inputs struct {
	Images      map[ProcessType]Image
	Vars        Vars
	Credentials map[AddOnID]Credentials
}

// Clone is a copy that shares no map with in; its maps are never nil.
func (in Inputs) Clone() Inputs {
	c := Inputs{Images: map[ProcessType]Image{}, Vars: in.Vars.Clone(), Credentials: map[AddOnID]Credentials{}}
	for t, img := range in.Images {
		img.Command = slices.Clone(img.Command)
		c.Images[t] = img
	}
	for id, layer := range in.Credentials {
		c.Credentials[id] = layer.Clone()
	}
	return c
}

// Equal tells whether two inputs would make the same release.
func (in Inputs) Equal(o Inputs) bool {
	return maps.EqualFunc(in.Images, o.Images, Image.Same) &&
		maps.Equal(in.Vars, o.Vars) &&
		maps.EqualFunc(in.Credentials, o.Credentials, Credentials.Equal)
}

// HeldBy finds the add-on whose credentials set a config var; empty for none.
func (in Inputs) HeldBy(name string) AddOnID {
	for id, layer := range in.Credentials {
		if _, held := layer.Vars[name]; held {
			return id
		}
	}
	return ""
}

// Plans are the names of the add-ons' plans, in order, each as often as it is
// there.
func (in Inputs) Plans() []string {
	var all []string
	for _, layer := range in.Credentials {
		all = append(all, layer.Plan)
	}
	slices.Sort(all)
	return all
}

// Mounts are the disks of all add-ons, in the order of the add-ons' ids.
func (in Inputs) Mounts() []Mount {
	var all []Mount
	for _, id := range slices.Sorted(maps.Keys(in.Credentials)) {
		all = append(all, cloneMounts(in.Credentials[id].Mounts)...)
	}
	return all
}

// Change asks for a new release.
type Change struct {
	// Description is what release lists show, for instance "Deploy 0123456789ab".
	Description string
	By          AccountID
	// PushID, if set, makes the change happen only once, however often it is
	// asked for.
	PushID string
	// Canary is how the release takes over.
	Canary Canary
	// Deploys tells whether the change brings new images: then it uses the app's
	// canary if it has none of its own.
	Deploys bool
	// Routine tells whether only values of add-ons' config vars change: then the
	// release command does not run again, as on Heroku, if that of the release before
	// went well.
	Routine bool
	// Edit changes the current inputs into the new ones, in place. It may be
	// called several times and must depend on nothing else.
	Edit func(*Inputs) error
}

// Release is one immutable version of an app's chain: what ran, with which
// environment, made by whom and why.
type Release struct {
	App         AppID
	AppName     string
	Version     int // 1, 2, 3 … without gaps
	Inputs      Inputs
	Description string
	By          AccountID
	PushID      string
	CreatedAt   time.Time
	// Previous is the digest of the release before it; empty for version 1.
	Previous string
	// Digest covers all of the above. It is set once the release is written.
	Digest string
}

// Name is "v" and the version.
func (r Release) Name() string { return VersionName(r.Version) }

// Env is the whole environment of the release: the add-ons' credentials and
// the config vars. No name is in both, so the order does not matter.
func (r Release) Env() Vars {
	all := Vars{}
	for _, id := range slices.Sorted(maps.Keys(r.Inputs.Credentials)) {
		maps.Copy(all, r.Inputs.Credentials[id].Vars)
	}
	maps.Copy(all, r.Inputs.Vars)
	return all
}

// VersionName is how people write version n: v1, v2, ….
func VersionName(n int) string { return fmt.Sprintf("v%d", n) }

// ReleaseStatus is what became of a release. It only moves forward, from
// Pending to one of the others; the one exception is a failed release with
// nothing better to run, which is started again and may yet succeed.
type ReleaseStatus string

// The states of a release.
const (
	Pending    ReleaseStatus = "pending"    // its dynos are not all up yet
	Succeeded  ReleaseStatus = "succeeded"  // its dynos were up once
	Failed     ReleaseStatus = "failed"     // its dynos did not come up; the one before it serves
	Superseded ReleaseStatus = "superseded" // a newer release took over before it was up
)

// Outcome is a release's status with its reason. It is kept beside the
// release, for it changes and the release does not.
type Outcome struct {
	Status ReleaseStatus
	// Reason says why in a sentence; for a failure with the exit code.
	Reason string
	// Log holds the failing dyno's last lines.
	Log []string
	At  time.Time
	// Phase is how far the release command came.
	Phase ReleasePhase
	// CanaryUntil is when the release's time as a canary is over; zero before it
	// has begun.
	CanaryUntil time.Time
}

// ReleasePhase is how far a release command came: the command of a release's
// process type "release", which runs once before any of its dynos starts. It
// only moves forward.
type ReleasePhase string

// The states of a release command.
const (
	PhaseNone   ReleasePhase = ""       // not begun yet, or there is none
	PhaseBegun  ReleasePhase = "begun"  // it was started, and never will be again
	PhasePassed ReleasePhase = "passed" // it ended well: the release may go on
	PhaseFailed ReleasePhase = "failed" // or called off: the release must never run
)

// HasPhase tells whether the release has a release command.
func (r ReleaseRecord) HasPhase() bool {
	_, ok := r.Images[ReleaseType]
	return ok
}

// ReleaseRecord is what can be known of a release without opening it: all but
// the secrets.
type ReleaseRecord struct {
	App         AppID
	Version     int
	Digest      string
	Images      map[ProcessType]Image
	Description string
	By          AccountID
	CreatedAt   time.Time
	// Canary is how it takes over.
	Canary Canary
	// Pages are what the router shows instead of its own pages.
	Pages Pages
	// Plans are the names of the plans of the add-ons that it has credentials of.
	Plans []string
	// Mounts are the disks that its dynos have.
	Mounts  []Mount
	Outcome Outcome
	// Current is set on the newest release, Live on the one that serves (the
	// newest that succeeded). They differ while a deploy is under way and after
	// a failed one.
	Current bool
	Live    bool
}

// Record is r as far as it is no secret.
func (r Release) Record() ReleaseRecord {
	return ReleaseRecord{
		App: r.App, Version: r.Version, Digest: r.Digest, Images: r.Inputs.Images,
		Description: r.Description, By: r.By, CreatedAt: r.CreatedAt, Pages: r.Inputs.Vars.Pages(),
		Plans: r.Inputs.Plans(), Mounts: r.Inputs.Mounts(),
	}
}

// ReleaseQuery asks for a window of an app's releases, by version.
type ReleaseQuery struct {
	From, To   int // versions, inclusive; 0 leaves that end open
	Descending bool
	Max        int // how many at most; 0 for all
}

// BrokenRelease is a release that serves and does not hold, so that its app is to
// be taken back to the one before.
type BrokenRelease struct {
	App     AppID
	Version int
	Reason  string
	FoundAt time.Time
}

// RollbackPart is the part of a release that a rollback takes back.
type RollbackPart string

// The parts.
const (
	RollbackAll    RollbackPart = ""
	RollbackCode   RollbackPart = "code"   // images only
	RollbackConfig RollbackPart = "config" // config vars only
)

// Canary is how a release takes over gradually: for a time its web dynos get
// only some of the requests, beside those of the live release, and it takes
// over if it holds. It is no part of the release: a release of the same inputs
// may be a canary or not. The zero value is no canary.
type Canary struct {
	Percent int           // of the requests
	For     time.Duration // the time
}

// DefaultCanary has the defaults of all fields.
func DefaultCanary() Canary { return Canary{Percent: 10, For: 5 * time.Minute} }

// On tells whether there is a canary.
func (c Canary) On() bool { return c.Percent > 0 }

// Validate tells what is wrong with a canary that is on.
func (c Canary) Validate() error {
	switch {
	case c.Percent < 1 || c.Percent > 99:
		return Errorf(Invalid, "Percent must be 1 to 99 of the requests.")
	case c.For < 10*time.Second || c.For > 24*time.Hour:
		return Errorf(Invalid, "Seconds must be 10 to 86,400.")
	}
	return nil
}
