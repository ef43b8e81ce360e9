package printed

import (
	"time"

	"renga"
)

const (
	// slack is by how much the messages of an instance may be out of order:
	// stdout and stderr are stamped apart.
	slack = 2 * time.Second
	// setBack is by how much a clock must go backwards to be believed.
	setBack = 10 * time.Second
)

// reading goes through the messages of an instance, told again from a mark on,
// and tells those that are new from those that were read before.
//
// A mark counts the messages of its time and later. It does not count from the
// latest message, for one that is stamped earlier may come after that.
type reading struct {
	mark   renga.LogMark
	skip   int
	counts map[int64]int // messages by the second, from mark.Since on
}

// resume goes on from a mark.
func resume(m renga.LogMark) *reading {
	return &reading{mark: m, skip: m.Count, counts: map[int64]int{}}
}

// fresh takes the next message, by its time, and tells whether it is new.
func (r *reading) fresh(at time.Time) bool {
	if r.skip > 0 && at.Before(r.mark.Since) {
		return false // the engine may tell more than it was asked for
	}
	if r.skip > 0 && !at.After(r.mark.Until) {
		r.counts[at.Unix()]++
		r.skip--
		return false
	}
	r.skip = 0
	r.note(at)
	return true
}

// note counts a new message and moves the mark on.
func (r *reading) note(at time.Time) {
	if r.mark.Since.IsZero() || at.Before(r.mark.Since.Add(-setBack)) {
		r.counts = map[int64]int{}
		r.mark.Since, r.mark.Until = at.Add(-slack).Truncate(time.Second), at
	}
	r.counts[at.Unix()]++
	if at.After(r.mark.Until) {
		r.mark.Until = at
	}
	if since := r.mark.Until.Add(-slack).Truncate(time.Second); since.After(r.mark.Since) {
		r.mark.Since = since
	}
	r.mark.Count = 0
	for second, n := range r.counts {
		if second < r.mark.Since.Unix() {
			delete(r.counts, second)
			continue
		}
		r.mark.Count += n
	}
}
