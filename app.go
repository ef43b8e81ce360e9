package renga

import (
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
	// ACM says that the certificates of its custom domains are managed.
	ACM bool
	// Features are those that were switched, by name; see [App.FeatureOn].
	Features map[string]bool
	// Buildpacks are the names or URLs of those that build the app from its
	// source, in their order.
	Buildpacks []string
	// HealthCheck is how its web dynos are asked whether they are well.
	HealthCheck HealthCheck
	// Canary is how releases take over that bring code.
	Canary Canary
	// SleepAfter is how long no request must come until the app sleeps; 0 for
	// never.
	SleepAfter time.Duration
	CreatedAt  time.Time
	UpdatedAt  time.Time
	// Deleting is set from the moment the app's end was asked for until
	// nothing of it is left. Its name stays taken for that time.
	Deleting bool
}

// Rename is an app's way from one name to another.
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
		return Errorf(Invalid, "Name %q must start with a letter, end with a letter or digit, and can only contain lowercase letters, digits and single dashes.", name)
	case reserved[name]:
		return Errorf(Invalid, "Name %q is reserved for the platform.", name)
	}
	return nil
}
