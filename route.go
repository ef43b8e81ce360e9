package renga

import "net/url"

// Route is all the router must know of one app. It is replaced whole.
type Route struct {
	App     AppID
	Name    string
	Hosts   []string // lower case, without port; none removes the app
	Targets []Target
	// Canary are the web dynos of a canary, which get Percent of the requests;
	// Targets get the others.
	Canary  []Target
	Percent int
	// Idle says what to answer when there are no targets.
	Idle        Idle
	Maintenance bool
	Pages       Pages // instead of the router's own
}

// Target is one web dyno that requests may be sent to.
type Target struct {
	ID   string // the dyno's id
	Dyno string // web.1
	Addr string // host:port
}

// Tally is what became of the requests that a target was asked.
type Tally struct {
	Requests int64
	Failed   int64 // answered with 500 and above, by the app or for it
}

// Idle is why an app has no target.
type Idle string

// The reasons. The router answers each with Heroku's code.
const (
	IdleNone     Idle = ""         // it has targets
	IdleBlank    Idle = "blank"    // no release with an image yet: H81
	IdleScaled   Idle = "scaled"   // no web dynos wanted: H14
	IdleStarting Idle = "starting" // they are on their way: wait, then H20
	IdleCrashed  Idle = "crashed"  // they crashed: H10
	IdleAsleep   Idle = "asleep"   // they sleep: wake them and wait, then H20
)

// Pages are the addresses of an app's own error pages, as its config vars
// ERROR_PAGE_URL and MAINTENANCE_PAGE_URL name them (devcenter: error-pages).
// Every client sees them, so they are no secrets. An empty one means the
// platform's page.
type Pages struct {
	Error       string
	Maintenance string
}

// Pages reads the addresses. Anything but an http or https URL without a
// password counts as empty.
func (v Vars) Pages() Pages {
	return Pages{Error: pageURL(v["ERROR_PAGE_URL"]), Maintenance: pageURL(v["MAINTENANCE_PAGE_URL"])}
}

func pageURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return u.String()
}
