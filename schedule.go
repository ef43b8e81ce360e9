package renga

import (
	"regexp"
	"strings"
	"time"
)

// Scheduler is the process type of one-off dynos that a schedule starts. Unlike
// [Run] it may be a process type of the app's own, too.
const Scheduler ProcessType = "scheduler"

// MaxCommand bounds the command of a one-off dyno, in bytes.
const MaxCommand = 32 << 10

// Schedule has a command run in one-off dynos, again and again.
type Schedule struct {
	ID  string
	App AppID
	// Name is unique in the app; empty for none.
	Name string
	// Cron is when to run: the five fields of a crontab, or a word such as
	// @daily, in the time zone Zone, a name of the time zone database.
	Cron, Zone string
	// Command, Type and Size are those of the [OneOff].
	Command string
	Type    ProcessType
	Size    string
	// Overlap allows a run to start while the one before is still going.
	Overlap bool
	Enabled bool

	CreatedAt, UpdatedAt time.Time
	// Next is when it is due next; zero for never.
	Next time.Time
	// Last is the newest run; nil as long as there was none.
	Last *ScheduledRun
}

var scheduleName = regexp.MustCompile(`^[a-z](?:[a-z0-9]|[-_][a-z0-9])*$`)

// Validate checks all fields but Cron and Zone.
func (s Schedule) Validate() error {
	switch n := len(s.Command); {
	case s.Name != "" && (len(s.Name) > 30 || !scheduleName.MatchString(s.Name)):
		return Errorf(Invalid, "Name must have up to 30 lowercase letters, digits and single dashes, and a letter first.")
	case n == 0 || n > MaxCommand || strings.ContainsRune(s.Command, 0):
		return Errorf(Invalid, "Command must be a command of 1 to %d bytes.", MaxCommand)
	case s.Type != "":
		return ValidateProcessType(s.Type)
	}
	return nil
}

// Label is how people call the schedule.
func (s Schedule) Label() string {
	if s.Name != "" {
		return s.Name
	}
	return s.ID
}

// OneOff is what a run of the schedule asks for.
func (s Schedule) OneOff(run ScheduledRun) OneOff {
	return OneOff{Command: s.Command, Type: s.Type, Size: s.Size, As: Scheduler, Dyno: run.ID}
}

// RunStatus is how far a run of a schedule came.
type RunStatus string

// The statuses. All but the first two are final.
const (
	RunStarting  RunStatus = "starting" // it is noted that its dyno is to be started
	RunRunning   RunStatus = "running"
	RunSucceeded RunStatus = "succeeded" // it exited with status 0
	RunFailed    RunStatus = "failed"    // it did not, or could not be started, or was stopped
	RunMissed    RunStatus = "missed"    // nobody could start it when it was due
	RunSkipped   RunStatus = "skipped"   // the one before was still going
)

// ScheduledRun is one time at which a schedule was due.
type ScheduledRun struct {
	ID       string // its dyno's, too
	Schedule string // the schedule's id
	Status   RunStatus
	// Dyno is its name, and Release the version that it runs in; empty as long as
	// there is none.
	Dyno    string
	Release int
	// DueAt is when it was to start; the other times are zero as long as they
	// have not come.
	DueAt, StartedAt, FinishedAt time.Time
	ExitCode                     *int
	// Reason says why it did not succeed.
	Reason string
}

// Over tells whether nothing more will happen to the run.
func (r ScheduledRun) Over() bool { return r.Status != RunStarting && r.Status != RunRunning }

// Began notes that the run's dyno was started.
func (r *ScheduledRun) Began(d Dyno) {
	if r.Status == RunStarting {
		r.Status, r.Dyno, r.Release, r.StartedAt = RunRunning, d.Name, d.Release, d.Created
	}
}

// Ended notes how the run's dyno ended. A dyno with a reason has failed.
func (r *ScheduledRun) Ended(d Dyno) {
	if r.Over() {
		return
	}
	r.Began(d)
	r.Status, r.FinishedAt, r.Reason = RunSucceeded, d.Since, d.Reason
	if d.Exit != nil {
		r.ExitCode = &d.Exit.Code
	}
	if r.Reason != "" {
		r.Status = RunFailed
	}
}

// GiveUp ends a run that has no dyno.
func (r *ScheduledRun) GiveUp(s RunStatus, at time.Time, reason string) {
	if !r.Over() {
		r.Status, r.FinishedAt, r.Reason = s, at, reason
	}
}
