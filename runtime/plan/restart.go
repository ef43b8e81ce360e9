package plan

import (
	"time"

	"renga"
	"renga/runtime/engine"
)

// How crashes and failed starts are met. A dyno that crashed is started again
// at once, then after 5 s, 10 s, 20 s … up to 10 min; one that ran for 5 min
// begins anew. It is Heroku's policy with finer steps (changelog 344).
const (
	firstPause   = 5 * time.Second
	longestPause = 10 * time.Minute
	healthyAfter = 5 * time.Minute

	// retriesOfNext is how often in a row a dyno of a pending release may crash.
	retriesOfNext = 1
	// startTriesFor is how long starts of a pending release may go wrong for
	// reasons that may pass.
	startTriesFor = 10 * time.Minute
	// firstRetry and longestRetry bound the pauses after such a start.
	firstRetry   = time.Second
	LongestRetry = 30 * time.Second
)

// crashes counts in a row, the end of i included.
func crashes(i engine.Instance) int {
	if !i.StartedAt.IsZero() && i.FinishedAt.Sub(i.StartedAt) >= healthyAfter {
		return 1
	}
	return i.Crashes + 1
}

// pauseAfter is how long to wait after so many crashes in a row.
func pauseAfter(crashes int) time.Duration {
	if crashes <= 1 {
		return 0
	}
	return doubled(firstPause, crashes-2, longestPause)
}

// doubled is first doubled so many times, and never more than most.
func doubled(first time.Duration, times int, most time.Duration) time.Duration {
	for ; times > 0 && first < most; times-- {
		first *= 2
	}
	return min(first, most)
}

// RetryAfter is how long to wait when something of the engine's or the store's went
// wrong, and had so many times in a row before: 1 s, 2 s, 4 s … 30 s.
func RetryAfter(failed int) time.Duration {
	return doubled(firstRetry, failed, LongestRetry)
}

// nextTry is when the slot's dyno is to be started, and after how many crashes.
func (v view) nextTry(now time.Time) (count int, at time.Time) {
	at = v.attempt.Retry
	if v.exited == nil {
		return 0, at
	}
	count = crashes(v.exited.Instance)
	if end := v.exited.FinishedAt; !end.After(now) { // a clock that was set back must not hold it up
		if due := end.Add(pauseAfter(count)); due.After(at) {
			at = due
		}
	}
	return count, at
}

// WithFailure is a with one more try that went wrong at now.
func (a Attempt) WithFailure(err error, now time.Time) Attempt {
	if a.Failed == 0 {
		a.First = a.Since
	}
	a.Busy, a.Last = false, now
	a.Retry = now.Add(RetryAfter(a.Failed))
	a.Failed++
	a.Reason = renga.MessageOf(err, "Renga itself went wrong, and its log says how")
	if k := renga.KindOf(err); k == renga.Invalid || k == renga.NotFound {
		a.Never, a.Retry = true, now.Add(longestPause)
	}
	return a
}
