package meter

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"renga"
)

// bounds are the upper ends of the histogram's buckets of service times, in
// seconds; the last one has none.
var bounds = [...]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// Counter counts the requests of all apps. It does so on the requests' own
// goroutines, so it has no lock. Its zero value is ready.
type Counter struct{ apps sync.Map } // renga.AppID → *appCounts

// appCounts counts the requests of one app.
type appCounts struct {
	outcomes sync.Map // code or class → *atomic.Int64
	buckets  [len(bounds) + 1]atomic.Int64
	service  atomic.Int64 // nanoseconds, of all together
	errors   atomic.Int64
	before   tally // as of the last minute; only the reader's
}

// tally is what an app's requests come to.
type tally struct {
	requests, errors int64
	service          time.Duration
}

// Request counts one finished request by Heroku's code or, if it has none, by
// the class of its status.
func (c *Counter) Request(app renga.AppID, code string, status int, service time.Duration) {
	entry, ok := c.apps.Load(app)
	if !ok {
		entry, _ = c.apps.LoadOrStore(app, &appCounts{})
	}
	entry.(*appCounts).add(code, status, service)
}

func (v *appCounts) add(code string, status int, service time.Duration) {
	if code == "" {
		code = classOf(status)
	}
	n, ok := v.outcomes.Load(code)
	if !ok {
		n, _ = v.outcomes.LoadOrStore(code, new(atomic.Int64))
	}
	n.(*atomic.Int64).Add(1)
	if status >= 500 {
		v.errors.Add(1)
	}
	at := 0
	for at < len(bounds) && service.Seconds() > bounds[at] {
		at++
	}
	v.buckets[at].Add(1)
	v.service.Add(int64(service))
}

// classes are the answers' classes by the hundreds of their status.
var classes = [...]string{"other", "1xx", "2xx", "3xx", "4xx", "5xx"}

func classOf(status int) string {
	if class := status / 100; class > 0 && class < len(classes) {
		return classes[class]
	}
	return classes[0]
}

// tally sums up since the counter was made. Requests that end meanwhile may be
// counted in part.
func (v *appCounts) tally() tally {
	t := tally{errors: v.errors.Load(), service: time.Duration(v.service.Load())}
	for n := range v.buckets {
		t.requests += v.buckets[n].Load()
	}
	return t
}

// minutes returns what has happened since the last call, for apps with
// requests; the service time is the average of one request.
func (c *Counter) minutes(apps map[renga.AppID]renga.App) map[renga.AppID]tally {
	all := map[renga.AppID]tally{}
	for app := range apps {
		entry, ok := c.apps.Load(app)
		if !ok {
			continue
		}
		v := entry.(*appCounts)
		now, before := v.tally(), v.before
		v.before = now
		if n := now.requests - before.requests; n > 0 {
			all[app] = tally{n, now.errors - before.errors, (now.service - before.service) / time.Duration(n)}
		}
	}
	return all
}

// keep forgets the apps that are not among these.
func (c *Counter) keep(apps map[renga.AppID]renga.App) {
	c.apps.Range(func(app, _ any) bool {
		if _, ok := apps[app.(renga.AppID)]; !ok {
			c.apps.Delete(app)
		}
		return true
	})
}

// counts gives how many requests came to what.
func (v *appCounts) counts() map[string]int64 {
	all := map[string]int64{}
	v.outcomes.Range(func(code, n any) bool {
		all[fmt.Sprint(code)] = n.(*atomic.Int64).Load()
		return true
	})
	return all
}
