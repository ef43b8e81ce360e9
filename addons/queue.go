package addons

import (
	"sync"
	"time"

	"renga"
)

// queue says which add-ons are to be looked at, and when.
type queue struct {
	now  func() time.Time
	wake chan struct{} // something is due earlier than before

	mu    sync.Mutex
	items map[renga.AddOnID]*item
}

// item is an add-on that is to be looked at, or is being looked at.
type item struct {
	due      time.Time
	running  bool
	failures int          // looks in a row that failed
	waiting  []chan error // who waits for the end of the next look
	served   []chan error // who waits for the end of this one
}

func newQueue(now func() time.Time) *queue {
	return &queue{now: now, wake: make(chan struct{}, 1), items: map[renga.AddOnID]*item{}}
}

// add has an add-on looked at after a while, or earlier if that is due.
func (q *queue) add(id renga.AddOnID, after time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.schedule(id, after)
	q.signal()
}

// await has an add-on looked at now, and gives the error of a look that begins
// after this call.
func (q *queue) await(id renga.AddOnID) <-chan error {
	q.mu.Lock()
	defer q.mu.Unlock()
	ended := make(chan error, 1)
	i := q.schedule(id, 0)
	i.waiting = append(i.waiting, ended)
	q.signal()
	return ended
}

func (q *queue) schedule(id renga.AddOnID, after time.Duration) *item {
	due := q.now().Add(after)
	i := q.items[id]
	if i == nil {
		i = &item{}
		q.items[id] = i
	}
	if i.due.IsZero() || due.Before(i.due) {
		i.due = due
	}
	return i
}

// take gives the add-ons that are due, and says in how long the next one is.
func (q *queue) take() (due []renga.AddOnID, next time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	next = time.Hour
	for id, i := range q.items {
		switch {
		case i.running || i.due.IsZero():
		case !i.due.After(now):
			i.running, i.due = true, time.Time{}
			i.waiting, i.served = nil, i.waiting
			due = append(due, id)
		default:
			next = min(next, i.due.Sub(now))
		}
	}
	return due, next
}

// done ends a look: again is after how long another one is needed, 0 for never.
// After a failure it comes after a pause that grows.
func (q *queue) done(id renga.AddOnID, again time.Duration, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := q.items[id]
	i.running = false
	for _, ended := range i.served {
		ended <- err
	}
	i.served = nil
	if err != nil {
		i.failures++
		again = pause(i.failures)
	} else {
		i.failures = 0
	}
	switch {
	case again > 0:
		q.schedule(id, again)
	case i.due.IsZero():
		delete(q.items, id)
	}
	q.signal() // it may have become due during its look
}

// signal has take called again.
func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// The pauses after looks that failed.
const (
	minPause = time.Second
	maxPause = time.Minute
)

// pause is how long to wait after so many failures in a row.
func pause(failures int) time.Duration {
	d := minPause
	for range failures - 1 {
		if d *= 2; d >= maxPause {
			return maxPause
		}
	}
	return d
}
