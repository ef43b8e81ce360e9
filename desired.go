package renga

import "time"

// Desired is the desired state of an app: all that the dyno manager must know.
type Desired struct {
	App       App
	Formation Formation
	// Live is the release that serves: the newest that succeeded, or the newest
	// of all when none with an image ever did. Nil when there is none with images.
	Live *ReleaseRecord
	// Next is the newest release while it is pending; nil otherwise. It takes
	// Live's place once its dynos are up.
	Next *ReleaseRecord
	// Barred is the version of the newest release if that must never run; 0
	// otherwise.
	Barred int
	// Restarts says that dynos created before a time are to be replaced. Keys
	// are dyno names, process types, or RestartAll.
	Restarts map[string]time.Time
	// Hosts are the custom domains; the default host comes from the name.
	Hosts []string
	// AsleepSince is when the app fell asleep; zero when it is awake.
	// [Desired.Asleep] tells whether it still sleeps.
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

// MaxSleepAfter bounds the time after which an app may sleep.
const MaxSleepAfter = 30 * 24 * time.Hour

// ValidateSleepAfter checks a time after which an app is to sleep; 0 is for
// never.
func ValidateSleepAfter(after time.Duration) error {
	if after != 0 && (after < time.Second || after > MaxSleepAfter) {
		return Errorf(Invalid, "After must be 1 to %.0f seconds without a request, or 0 for an app that never sleeps.",
			MaxSleepAfter.Seconds())
	}
	return nil
}

// Asleep tells whether all dynos of the app's formation are to be down until
// the next request. A release, a restart, scaling, and switching sleep off wake
// the app up, too.
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
