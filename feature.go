package renga

// Feature is something of an app's that can be switched on and off, as with
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
	// Exec lets people into running dynos (heroku ps:exec).
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
		{Name: Preboot, Default: true, Description: "Start new web dynos, and wait until they listen, before the old ones are stopped."},
		{Name: ReleaseOnPush, Default: true, Description: "Release an image as soon as it is pushed. Without it a push stores the image, and container:release releases it."},
		{Name: RollbackOnCrash, Default: true, Description: "Take the app back to the release before when a new one crashes again and again in its first minutes, or fails most of its requests."},
		{Name: Exec, Default: true, Description: "Open a shell in a running dyno with ps:exec."},
	}
}

// FeatureOn tells whether a feature is on for the app. One that nobody knows
// is off.
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
