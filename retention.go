package renga

import "time"

// Retention is how many of an app's releases keep their images: the newest ones,
// and all that are young. The current one, the live one and any that runs always do.
// What a release says of itself is kept for ever. The zero value is the default.
type Retention struct {
	Releases int           // the newest so many
	For      time.Duration // and all that are younger
}

// DefaultRetention is that of an app that never said.
func DefaultRetention() Retention { return Retention{Releases: 50, For: 30 * 24 * time.Hour} }

// OrDefault is the retention itself, or the default for the zero value.
func (r Retention) OrDefault() Retention {
	if r == (Retention{}) {
		return DefaultRetention()
	}
	return r
}

// Validate tells what is wrong with a retention. Two releases are the fewest, so
// that there is one to go back to.
func (r Retention) Validate() error {
	switch {
	case r.Releases < 2 || r.Releases > 100_000:
		return Errorf(Invalid, "Releases must be 2 to 100,000.")
	case r.For < 0 || r.For > 3650*24*time.Hour:
		return Errorf(Invalid, "Days must be 0 to 3,650.")
	}
	return nil
}

// Keeps tells for each of an app's releases, oldest first, whether it keeps its
// images at a time. Runs tells of a version whether dynos run it.
func (r Retention) Keeps(releases []ReleaseRecord, runs func(version int) bool, now time.Time) []bool {
	r = r.OrDefault()
	keeps := make([]bool, len(releases))
	for i, rec := range releases {
		keeps[i] = len(releases)-i <= r.Releases || now.Sub(rec.CreatedAt) < r.For ||
			rec.Current || rec.Live || rec.Outcome.Status == Pending || runs(rec.Version)
	}
	return keeps
}
