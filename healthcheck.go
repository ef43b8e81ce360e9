package renga

import (
	"net/url"
	"regexp"
	"time"
)

// HealthCheck is how the platform asks an app's web dynos by HTTP whether they
// are well: before requests are sent to one, and from then on. The zero one
// asks nothing: a web dyno that listens is well.
type HealthCheck struct {
	Path      string        // with a slash first; empty for no check
	Interval  time.Duration // between two questions to one dyno
	Timeout   time.Duration // for an answer
	Threshold int           // so many bad answers in a row end a dyno
}

// DefaultHealthCheck is what holds where nothing is said.
func DefaultHealthCheck() HealthCheck {
	return HealthCheck{Interval: 10 * time.Second, Timeout: 5 * time.Second, Threshold: 3}
}

// checkPath is what a request line may hold, and would not be taken for a host.
var checkPath = regexp.MustCompile(`^/([!"$-.0-~][!"$-~]{0,998})?$`)

// On tells whether there is a check.
func (c HealthCheck) On() bool { return c.Path != "" }

// Validate tells what is wrong with a check that is on.
func (c HealthCheck) Validate() error {
	if _, err := url.ParseRequestURI(c.Path); err != nil || !checkPath.MatchString(c.Path) {
		return Errorf(Invalid, "Path must be one such as /health, with a slash first, of 1,000 characters at most.")
	}
	switch {
	case c.Interval < time.Second || c.Interval > time.Hour:
		return Errorf(Invalid, "Interval must be 1 to 3,600 seconds.")
	case c.Timeout < time.Second || c.Timeout > time.Minute:
		return Errorf(Invalid, "Timeout must be 1 to 60 seconds.")
	case c.Threshold < 1 || c.Threshold > 100:
		return Errorf(Invalid, "Threshold must be 1 to 100 failed checks.")
	}
	return nil
}
