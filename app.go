package renga

import (
	"net/url"
	"regexp"
	"time"
)

// AppID names an app for ever: a UUID. Names may change, ids do not.
type AppID string

// App is one deployable thing with a name, an owner and a chain of releases.
type App struct {
	ID    AppID
	Name  string
	Owner AccountID
	// Collaborators are the accounts that it is shared with.
	Collaborators map[AccountID]Collaborator
	Maintenance   bool
	// ACM tells whether the certificates of its custom domains are managed.
	ACM bool
	// Features are the features that were switched on or off; see
	// [App.FeatureOn].
	Features map[string]bool
	// Buildpacks are the names or URLs of those that build the app from its
	// source, in their order.
	Buildpacks []string
	// HealthCheck is the health check of its web dynos.
	HealthCheck HealthCheck
	// Canary is how releases take over that bring code.
	Canary Canary
	// Retention is how many of its releases keep their images.
	Retention Retention
	// DiskQuota is how many bytes of content it may have in the registry; 0 for as many
	// as the platform lets every app have.
	DiskQuota int64
	// Registry is what the registry goes by with its images.
	Registry RegistryRules
	// SleepAfter is the time without a request after which the app sleeps; 0 for
	// never.
	SleepAfter time.Duration
	CreatedAt  time.Time
	UpdatedAt  time.Time
	// Deleting is set while the app is being deleted. Its name is taken until
	// nothing of it is left.
	Deleting bool
}

// Rename is the change of an app's name.
type Rename struct {
	App      AppID
	From, To string
}

var appName = regexp.MustCompile(`^[a-z](?:[a-z0-9]|-[a-z0-9])*$`)

// reserved are names below the platform's domain that are not apps.
var reserved = map[string]bool{
	"api": true, "registry": true, "git": true, "dashboard": true, "www": true, "v2": true,
}

// ValidateAppName tells whether name may be an app's: 3 to 30 characters,
// lower case letters, digits and single dashes, a letter first, no dash last.
// These are Heroku's rules; single dashes keep every name a valid repository
// name and a valid host label.
func ValidateAppName(name string) error {
	switch {
	case len(name) < 3 || len(name) > 30:
		return Errorf(Invalid, "Name %q must be 3 to 30 characters long.", Clip(name, 40))
	case !appName.MatchString(name):
		return Errorf(Invalid, "Name %q must start with a letter, end with a letter or digit, and can only contain "+
			"lowercase letters, digits and single dashes.", name)
	case reserved[name]:
		return Errorf(Invalid, "Name %q is reserved for the platform.", name)
	}
	return nil
}

// HealthCheck is how the platform checks an app's web dynos by HTTP: before the
// first request is sent to one, and from then on. The zero value checks
// nothing: a web dyno that listens is healthy.
type HealthCheck struct {
	Path      string        // with a slash first; empty for no check
	Interval  time.Duration // between two questions to one dyno
	Timeout   time.Duration // for an answer
	Threshold int           // so many bad answers in a row end a dyno
}

// DefaultHealthCheck has the defaults of all fields.
func DefaultHealthCheck() HealthCheck {
	return HealthCheck{Interval: 10 * time.Second, Timeout: 5 * time.Second, Threshold: 3}
}

// checkPath matches what may stand in a request line and cannot be taken for a
// host.
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

// Feature is a behaviour of an app that can be switched on and off, as with
// `heroku features`.
type Feature struct {
	Name        string
	Description string
	// Default is what holds for an app that never said.
	Default bool
	// Lab marks a feature that is listed among the labs, not the features.
	Lab bool
}

// The features that the platform itself acts upon.
const (
	// ReleaseOnPush lets a push to the release tag make a release. Without it a
	// push only stores the image, as on Heroku.
	ReleaseOnPush = "release-on-push"
	// Preboot starts a release's web dynos before the old ones are stopped.
	Preboot = "preboot"
	// Exec allows shells in running dynos (heroku ps:exec).
	Exec = "runtime-heroku-exec"
	// RuntimeMetrics has the log tell what each dyno uses.
	RuntimeMetrics = "log-runtime-metrics"
	// RollbackOnCrash takes an app back to the release before when a new one
	// crashes again and again in its first minutes, or fails most of its requests.
	RollbackOnCrash = "rollback-on-crash"
)

// Features lists what an app can switch, in the order of their names.
func Features() []Feature {
	return []Feature{
		{Name: RuntimeMetrics, Lab: true, Description: "Log what each dyno uses of memory and processors, every 20 seconds."},
		{Name: Preboot, Default: true, Description: "Start new web dynos, and wait until they listen, before the old ones " +
			"are stopped."},
		{Name: ReleaseOnPush, Default: true, Description: "Release an image as soon as it is pushed. Without it a push " +
			"stores the image, and container:release releases it."},
		{Name: RollbackOnCrash, Default: true, Description: "Take the app back to the release before when a new one " +
			"crashes again and again in its first minutes, or fails most of its requests."},
		{Name: Exec, Default: true, Description: "Open a shell in a running dyno with ps:exec."},
	}
}

// FeatureOn tells whether a feature is on for the app. An unknown one is off.
func (a App) FeatureOn(name string) bool {
	if on, said := a.Features[name]; said {
		return on
	}
	for _, f := range Features() {
		if f.Name == name {
			return f.Default
		}
	}
	return false
}
