package renga

import "time"

// MaxSleepAfter bounds the time after which an app may sleep.
const MaxSleepAfter = 30 * 24 * time.Hour

// ValidateSleepAfter tells what is wrong with a time after which an app is to
// sleep; 0 is for never.
func ValidateSleepAfter(after time.Duration) error {
	if after != 0 && (after < time.Second || after > MaxSleepAfter) {
		return Errorf(Invalid, "After must be 1 to %.0f seconds without a request, or 0 for an app that never sleeps.", MaxSleepAfter.Seconds())
	}
	return nil
}

// Asleep tells whether all dynos of the app's formation are to be down until the
// next request. A release, a restart, another scale, and that the app is not to
// sleep any more, wake it as well.
func (d Desired) Asleep() bool {
	return !d.AsleepSince.IsZero() && d.App.SleepAfter > 0 && d.Next == nil && !d.TouchedAt().After(d.AsleepSince)
}

// TouchedAt is when people last changed what runs: by a release, by a restart or
// by scaling. Zero when they never did.
func (d Desired) TouchedAt() time.Time {
	var newest time.Time
	touch := func(at time.Time) {
		if at.After(newest) {
			newest = at
		}
	}
	for t, scale := range d.Formation {
		touch(scale.UpdatedAt)
		for n := range scale.Quantity {
			touch(d.RestartedAfter(DynoName(t, n+1), t))
		}
	}
	if d.Live != nil {
		touch(d.Live.Outcome.At)
	}
	return newest
}
