package wire

import (
	"net/http"
	"regexp"

	"renga"
)

// absent are families of Heroku's endpoints that have no place on a platform of one's
// own, by their paths, and what is there instead. The first that fits is told.
var absent = []struct {
	path *regexp.Regexp
	say  string
}{
	{
		regexp.MustCompile(`^/spaces(/|$)`),
		"There are no private spaces here: every app has a network of its own. Who reaches a platform from where is up to its server.",
	},
	{
		regexp.MustCompile(`^/teams(/|$)`),
		"There are no teams here: `heroku access:add` shares an app, and `heroku apps:transfer` gives it away.",
	},
	{
		regexp.MustCompile(`^/(pipelines/[^/]+/)?test-runs(/|$)`),
		"There is no CI here: run tests where the image is built, before it is pushed.",
	},
	{
		regexp.MustCompile(`^/(review-apps|apps/[^/]+/review-app|pipelines/[^/]+/review-app-config)(/|$)`),
		"There are no review apps here, for no forge is connected: push a branch's image to an app of its own.",
	},
	{
		regexp.MustCompile(`^/oauth/clients(/|$)`),
		"There are no OAuth clients of others here: `heroku authorizations:create` makes a token for a program.",
	},
	{
		regexp.MustCompile(`^/(apps/[^/]+/)?telemetry-drains(/|$)`),
		"There are no telemetry drains here: `heroku drains:add` sends an app's log elsewhere, and /metrics has figures for Prometheus.",
	},
	{
		regexp.MustCompile(`^/data/postgres/v1/`),
		"There are no Advanced databases here: `heroku addons:plans heroku-postgresql` lists the plans that there are.",
	},
	{
		regexp.MustCompile(`^/data/maintenances/`),
		"There is no maintenance of add-ons here: they change when the platform's operator gives Docker another image.",
	},
	{
		regexp.MustCompile(`^/apps/[^/]+/dynos/[^/]+$`),
		"No command runs inside a dyno that way here: `heroku ps:exec` does, and `heroku run` starts a dyno of its own.",
	},
	{
		regexp.MustCompile(`^/buildpacks/`),
		"There is no registry of buildpacks here: apps come as images that were built elsewhere.",
	},
}

// NoEndpoint is the answer for a path without a route.
func NoEndpoint(_ http.ResponseWriter, r *http.Request) error {
	message := "The requested API endpoint was not found. Are you using the right HTTP verb (i.e. `GET` vs. " +
		"`POST`), and did you specify your intended version with the `Accept` header?"
	for _, family := range absent {
		if family.path.MatchString(r.URL.Path) {
			message = family.say
			break
		}
	}
	return &Problem{kind: renga.NotFound, status: http.StatusNotFound, id: "not_found", message: message}
}
