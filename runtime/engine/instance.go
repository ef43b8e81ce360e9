package engine

import (
	"time"

	"renga"
)

// Instance is one dyno that an engine runs or ran.
type Instance struct {
	ID       string // the engine's
	App      renga.AppID
	Dyno     string // Spec.Dyno
	Name     string
	Type     renga.ProcessType
	Size     string // Size.Name
	Release  int
	Command  []string
	Crashes  int
	Until    time.Time // Spec.Until
	Attached bool      // there was a Spec.Attach
	Alone    []string  // Spec.Alone

	State      InstanceState
	Addr       string // host:port of a running web dyno, as the router reaches it
	Dir        string // that its command runs in
	CreatedAt  time.Time
	StartedAt  time.Time
	FinishedAt time.Time // zero unless Exited
	ExitCode   int       // when Exited
	OOMKilled  bool      // when Exited
	OverDisk   bool      // it had too much on its disk and was ended; the manager's own

	// Health is what the image's own check says of a running web dyno, and
	// HealthSaid what that printed when it failed.
	Health     Health
	HealthSaid string
}

// Health is what an image's own check says.
type Health string

// What it may say.
const (
	NoHealth  Health = "" // there is no check
	Untried   Health = "untried"
	Healthy   Health = "healthy"
	Unhealthy Health = "unhealthy"
)

// InstanceState is what an instance does. It only moves forward.
type InstanceState string

// The states of an instance.
const (
	Created InstanceState = "created" // made, and not started; left by a crash of ours
	Running InstanceState = "running"
	Exited  InstanceState = "exited"
)

// OneOff tells whether the instance is a one-off dyno. An app may have a process
// type of a scheduled one's name, and so only that it has an end tells them
// apart.
func (i Instance) OneOff() bool { return i.Type == renga.Run || i.Scheduled() }

// Scheduled tells whether a schedule had the instance started.
func (i Instance) Scheduled() bool { return i.Type == renga.Scheduler && !i.Until.IsZero() }
