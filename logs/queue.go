package logs

import (
	"context"
	"fmt"
	"sync"
	"time"

	"renga"
)

// maxQueued is how many lines of one app may wait to be written.
const maxQueued = 8192

// logplex is the dyno that Heroku's own lines about logs come from.
const logplex = "logplex"

// queuedLine is a line that waits to be written. Its text is made when it is
// written.
type queuedLine struct {
	at           time.Time
	source, dyno string
	text         fmt.Stringer
}

// lineQueue holds an app's lines that wait to be written.
type lineQueue struct {
	mu    sync.Mutex
	lines []queuedLine
	// dropped counts the lines since droppedSince for which there was no room.
	dropped      int
	droppedSince time.Time
}

// queueSet knows which queues are not empty.
type queueSet struct {
	mu      sync.Mutex
	waiting map[renga.AppID]*ring
	signal  chan struct{}
}

func newQueueSet() queueSet {
	return queueSet{waiting: map[renga.AppID]*ring{}, signal: make(chan struct{}, 1)}
}

// Offer queues a line without blocking; Run writes it soon. If the queue is
// full the line is dropped and counted, and the log says how many were.
func (l *Logs) Offer(app renga.AppID, source, dyno string, text fmt.Stringer) {
	r, err := l.ring(app)
	if err != nil {
		l.stats.lost.Add(1)
		return
	}
	if first := r.queue.put(queuedLine{l.opt.Now(), source, dyno, text}, &l.stats); first {
		l.queues.add(app, r)
	}
}

// put adds a line, and tells whether the queue was empty.
func (q *lineQueue) put(one queuedLine, stats *counters) (first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) >= maxQueued {
		if q.dropped == 0 {
			q.droppedSince = one.at
		}
		q.dropped++
		stats.dropped.Add(1)
		return false
	}
	q.lines = append(q.lines, one)
	return len(q.lines) == 1
}

// take empties the queue.
func (q *lineQueue) take() []renga.LogLine {
	q.mu.Lock()
	queued, dropped, since := q.lines, q.dropped, q.droppedSince
	q.lines, q.dropped = nil, 0
	q.mu.Unlock()
	lines := make([]renga.LogLine, 0, len(queued)+1)
	for _, one := range queued {
		lines = append(lines, renga.LogLine{Time: one.at, Source: one.source, Dyno: one.dyno, Text: one.text.String()})
	}
	if dropped > 0 {
		lines = append(lines, renga.LogLine{
			Time: queued[len(queued)-1].at, Source: renga.SourceHeroku, Dyno: logplex,
			Text: overflow("L12", "Local buffer overflow", dropped, "dropped", since),
		})
	}
	return lines
}

// overflow is Heroku's line on lost lines.
func overflow(code, name string, n int, what string, since time.Time) string {
	return fmt.Sprintf("Error %s (%s) -> %d messages %s since %s.", code, name, n, what, since.UTC().Format(time.RFC3339))
}

func (s *queueSet) add(app renga.AppID, r *ring) {
	s.mu.Lock()
	s.waiting[app] = r
	s.mu.Unlock()
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

func (s *queueSet) take() map[renga.AppID]*ring {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.waiting
	s.waiting = map[renga.AppID]*ring{}
	return waiting
}

// Run writes what was offered, until ctx ends and all is written.
func (l *Logs) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			l.writeQueued()
			return nil
		case <-l.queues.signal:
			l.writeQueued()
		}
	}
}

func (l *Logs) writeQueued() {
	for app, r := range l.queues.take() {
		l.write(app, r.queue.take(), nil)
	}
}
