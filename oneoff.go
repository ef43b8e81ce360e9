package renga

import "time"

// Run is the process type of one-off dynos, which nobody scales.
const Run ProcessType = "run"

// MaxOneOff is how long a one-off dyno may run at most.
const MaxOneOff = 24 * time.Hour

// OneOff asks for one dyno that runs a command in the release that serves.
type OneOff struct {
	// Command is a line for the image's shell. An image without a shell gets it
	// split into words. A process type's name at its beginning stands for that
	// type's command, in its image and size.
	Command string
	// Type says whose image and size are used; empty means web's, or the first
	// one's of an app without web.
	Type ProcessType
	Size string // empty for the type's
	// Env is laid over the release's environment.
	Env Vars
	// Lasts is how long it may run; 0 means MaxOneOff.
	Lasts time.Duration
	// As is the process type that the dyno has, [Run] or [Scheduler]; empty for
	// Run.
	As ProcessType
	// Dyno is the dyno's id. If there is a dyno of that id already, that one is
	// returned, and none is started. Empty for a new id.
	Dyno string
	// Attach has it wait for a client and end with it.
	Attach bool
	// MarkExit tells whether an attached client looks for the exit code in the
	// output.
	MarkExit bool
	// Terminal is the client's window, for a dyno with a terminal; nil for one
	// without.
	Terminal *Window
}

// Window is the size of a terminal.
type Window struct{ Columns, Rows uint16 }
