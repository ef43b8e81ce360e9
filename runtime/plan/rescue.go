package plan

import (
	"fmt"
	"time"

	"renga"
)

// When a release in its first minutes does not hold, so that the app is taken
// back to the one before.
const (
	// rescueAfter is how often in a row one of its dynos may crash.
	rescueAfter = 3
	// rescueRequests is how many requests its web dynos must have been asked
	// before it counts that more than half of them failed.
	rescueRequests = 20
	// checkPause is how long it may take until that is seen.
	checkPause = 5 * time.Second
)

// Rescue takes the app back from a release that does not hold.
type Rescue struct {
	Version int
	Reason  string
}

func (Rescue) step() {}

// rollbackCandidate is the serving release in its first minutes, when the app asks for it;
// nil otherwise. A release that was made to rescue the app is left alone: rolling
// back what was rolled back would never end.
func (st State) rollbackCandidate() *renga.ReleaseRecord {
	live := st.Desired.Live
	if st.Away || st.Gone || live == nil || st.Desired.Next != nil || live.By == renga.Platform ||
		live.Outcome.Status != renga.Succeeded || !st.Desired.App.FeatureOn(renga.RollbackOnCrash) ||
		st.Now.Sub(live.Outcome.At) > st.WatchWindow {
		return nil
	}
	return live
}

// Judged is the release whose dynos and requests show whether it holds: the one
// that is tried as a canary, or the serving one in its first minutes; nil for none.
func (st State) Judged() (judged *renga.ReleaseRecord, canary bool) {
	if tried := st.canary(); tried != nil {
		return tried, true
	}
	return st.rollbackCandidate(), false
}

// checkLive rolls a release back that does not hold. No event tells of failing
// requests, so the plan looks again soon.
func (p *planner) checkLive() {
	live := p.rollbackCandidate()
	if live == nil {
		return
	}
	p.lookAgain(p.Now.Add(checkPause))
	if reason, _ := p.broken(p.live, live.Outcome.At); reason != "" {
		p.steps = append(p.steps, Rescue{live.Version, reason})
	}
}

// broken says why a release of which dynos crash after a time, or fail, does not
// hold, "" when it does; and which instance shows it, if one does.
func (p *planner) broken(dynos []view, since time.Time) (reason, instance string) {
	for _, v := range dynos {
		if v.exited != nil && v.exited.FinishedAt.After(since) && crashes(v.exited.Instance) >= rescueAfter {
			return fmt.Sprintf("%s crashed %d times in a row: %s", v.name, rescueAfter, v.exited.Reason), v.exited.ID
		}
	}
	if t := p.Tally; t.Requests >= rescueRequests && t.Failed > t.Requests/2 {
		return fmt.Sprintf("%d of its first %d requests failed with a status of 500 or above", t.Failed, t.Requests), ""
	}
	return "", ""
}
