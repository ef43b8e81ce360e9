package git

import (
	"context"
	"sync"

	"renga"
)

// kind is what a job is for.
type kind int

const (
	pushing kind = iota
	cloning
	tidying
)

// job is a request, or something else, that has processes.
type job struct {
	kind    kind
	app     renga.AppID // empty as long as there is none
	account renga.AccountID

	cancel context.CancelCauseFunc
	over   chan struct{}
}

// jobs are all that is under way. They are bounded: each holds processes, memory and a
// connection.
type jobs struct {
	most int // of each kind; a quarter by one account

	mu     sync.Mutex
	closed bool
	open   map[*job]struct{}
}

func newJobs(most int) *jobs { return &jobs{most: most, open: map[*job]struct{}{}} }

var (
	errEnding   = renga.Errorf(renga.Unavailable, "Renga is being restarted. Try again in a moment.")
	errRemoved  = renga.Errorf(renga.NotFound, "The app is being deleted.")
	errTooSlow  = renga.Errorf(renga.Unavailable, "That took too long. Try again.")
	errManyHere = renga.Errorf(renga.TooMany, "There are too many pushes and clones at the moment. Try again in a minute.")
	errManyOf   = renga.Errorf(renga.TooMany, "Your account has too many pushes and clones under way. Wait for one to end.")
)

// begin notes a job, which must be done in the end. Its context ends when nobody wants it
// any more.
func (s *jobs) begin(ctx context.Context, j job) (context.Context, *job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, errEnding
	}
	all, own := 0, 0
	for other := range s.open {
		if other.kind != j.kind {
			continue
		}
		all++
		if other.account == j.account {
			own++
		}
	}
	if j.kind != tidying && own >= max(1, s.most/4) {
		return nil, nil, errManyOf
	}
	if all >= s.most {
		return nil, nil, errManyHere
	}
	ctx, j.cancel = context.WithCancelCause(ctx)
	j.over = make(chan struct{})
	s.open[&j] = struct{}{}
	return ctx, &j, nil
}

// concerns says of which app a job is, once that is known.
func (s *jobs) concerns(j *job, app renga.AppID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.app = app
}

// done forgets a job whose processes are gone.
func (s *jobs) done(j *job) {
	j.cancel(nil)
	s.mu.Lock()
	delete(s.open, j)
	s.mu.Unlock()
	close(j.over)
}

// end ends all jobs, and waits for them. No further ones begin.
func (s *jobs) end() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel(errEnding, func(*job) bool { return true })
}

// endOf ends the jobs of an app, and waits for them.
func (s *jobs) endOf(app renga.AppID) {
	s.cancel(errRemoved, func(j *job) bool { return j.app == app })
}

func (s *jobs) cancel(why error, which func(*job) bool) {
	s.mu.Lock()
	var ended []*job
	for j := range s.open {
		if which(j) {
			j.cancel(why)
			ended = append(ended, j)
		}
	}
	s.mu.Unlock()
	for _, j := range ended {
		<-j.over
	}
}
