package renga

import "time"

// Canary is how a release takes over carefully: for a time its web dynos are
// asked some of the requests only, beside those of the release that serves, and
// it takes over if it holds. It is no part of the release: the same release may
// be tried in this way once, and at once the next time. The zero one is no
// canary.
type Canary struct {
	Percent int           // of the requests
	For     time.Duration // the time
}

// DefaultCanary is what holds where nothing is said.
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
