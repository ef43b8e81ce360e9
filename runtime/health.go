package runtime

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"renga"
	"renga/runtime/engine"
)

// check is what one web dyno is asked.
type check struct {
	renga.HealthCheck
	addr, host string
}

// checkOf is by HTTP when the app has a check, and else by TCP.
func (w *watch) checkOf(app renga.App, i engine.Instance) check {
	return check{app.HealthCheck, i.Addr, app.Name + "." + w.m.opts.Domain}
}

// ask asks once.
func (w *watch) ask(ctx context.Context, c check) error {
	if !c.On() {
		ctx, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		return w.m.opts.Probe(ctx, c.addr)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	return w.m.opts.Get(ctx, c.addr, c.host, c.Path)
}

// checkHealthLocked goes on asking a web dyno that serves, as long as its app has a
// check. One that answers badly too often is late: it is asked no more requests
// and ends.
func (w *watch) checkHealthLocked(ctx context.Context, i engine.Instance, c check) {
	if w.checked == c {
		return
	}
	w.stopHealthLocked()
	if w.checked = c; !c.On() {
		return
	}
	ctx, w.health = context.WithCancel(ctx)
	w.tasks.Go(func() {
		if reason := w.untilUnhealthy(ctx, c); reason != "" {
			w.unhealthy(i, reason)
		}
	})
}

func (w *watch) stopHealthLocked() {
	if w.health != nil {
		w.health()
		w.health, w.checked = nil, check{}
	}
}

// untilUnhealthy asks until ctx ends, or the dyno has failed as often in a row as it
// may; then it says how.
func (w *watch) untilUnhealthy(ctx context.Context, c check) (reason string) {
	for failures := 0; ; {
		wait(ctx, c.Interval)
		err := w.ask(ctx, c)
		switch {
		case ctx.Err() != nil:
			return ""
		case err == nil:
			failures = 0
		default:
			failures++
		}
		if failures >= c.Threshold {
			return fmt.Sprintf("Health check failed %d times in a row: %s", failures, err)
		}
	}
}

// unhealthy notes that a dyno which served is to be ended.
func (w *watch) unhealthy(i engine.Instance, reason string) {
	w.mu.Lock()
	news := w.late == "" && w.ending != stopping
	if news {
		w.late = reason
	}
	w.mu.Unlock()
	if news {
		w.say(i.Name, "%s", reason)
		w.lookAgain()
	}
}

// judgeImageCheckLocked takes in what the image's own HEALTHCHECK says: a dyno is not up
// before it passed, and ends when it failed.
func (w *watch) judgeImageCheckLocked(i engine.Instance) {
	if i.Type == renga.Web && i.State == engine.Running && i.Health == engine.Unhealthy && w.late == "" && w.ending != stopping {
		w.late = "The HEALTHCHECK of the image failed"
		if i.HealthSaid != "" {
			w.late += ": " + i.HealthSaid
		}
		w.say(i.Name, "%s", w.late)
	}
}

// checks are made by a client that keeps nothing: a dyno is to take a new
// connection, as it must from the router.
var checks = http.Client{
	// The router takes as much of an answer's headers.
	Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 1 << 20},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// get is the check by HTTP. It passes with a status from 200 to 399: an app
// that sends everybody to HTTPS is well.
func get(ctx context.Context, addr, host, path string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return err
	}
	r.Host = host
	r.Header.Set("User-Agent", "Renga-Health-Check")
	begin := time.Now()
	res, err := checks.Do(r)
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("GET %s had no answer within %s", path, time.Since(begin).Round(100*time.Millisecond))
	case err != nil:
		return fmt.Errorf("GET %s had no answer: the connection was refused or broken off", path)
	}
	_, _ = io.CopyN(io.Discard, res.Body, 4096) // so that a short answer ends in peace
	_ = res.Body.Close()                        // there is nothing to lose
	if res.StatusCode < 200 || res.StatusCode > 399 {
		return fmt.Errorf("GET %s answered %s", path, res.Status)
	}
	return nil
}
