package renga

import "time"

// Usage is what the processes of one dyno use, together.
type Usage struct {
	RSS   int64 // bytes of memory of their own
	Cache int64 // bytes of files that the kernel keeps in memory for them
	Swap  int64 // bytes
	// PagesIn and PagesOut count pages since the start.
	PagesIn, PagesOut int64
	// CPU is the processors' time since the start.
	CPU time.Duration
}

// Memory is what counts against a dyno's quota. The files' cache does not
// count: the kernel frees it when memory is needed.
func (u Usage) Memory() int64 { return u.RSS + u.Swap }

// Sample is what a dyno used at one moment.
type Sample struct {
	App     App
	Dyno    string // the dyno's id
	Name    string // web.1
	Type    ProcessType
	Quota   int64 // bytes of memory that its size allows; 0 for no limit
	Started time.Time
	At      time.Time
	Usage
}

// Minute is what the dynos of one process type used in one minute, and what
// they did.
type Minute struct {
	At        time.Time // when it began
	Type      ProcessType
	Dynos     int     // the most that ran at once
	Memory    int64   // bytes of one dyno on average
	MaxMemory int64   // bytes of the largest at its worst
	Quota     int64   // bytes that one dyno may use
	CPU       float64 // processors in use on average, by all dynos together
	// Of web dynos:
	Requests int64
	Errors   int64         // requests that were answered with a status of 500 or more
	Service  time.Duration // of a request on average
}

// MaxMinutes is how many minutes back are kept: a day.
const MaxMinutes = 24 * 60
