package logs

import (
	"context"
	"fmt"
	"sync"
	"time"

	"renga"
)

// maxMail is how many lines of one app may wait to be written.
const maxMail = 8192

// logplex is the dyno that Heroku's own lines about logs come from.
const logplex = "logplex"

// letter is a line that waits to be written. Its text is made when it is.
type letter struct {
	at           time.Time
	source, dyno string
	text         fmt.Stringer
}

// mailbox holds an app's letters.
type mailbox struct {
	mu      sync.Mutex
	letters []letter
	// dropped letters since then, for there were too many
	dropped      int
	droppedSince time.Time
}

// post knows which mailboxes are not empty.
type post struct {
	mu     sync.Mutex
	full   map[renga.AppID]*ring
	signal chan struct{}
}

func newPost() post {
	return post{full: map[renga.AppID]*ring{}, signal: make(chan struct{}, 1)}
}

// Offer adds a line without waiting for anything: it is written soon, by Run.
// When the app's lines come faster than that, this one is dropped and counted,
// and the log says how many were.
func (l *Logs) Offer(app renga.AppID, source, dyno string, text fmt.Stringer) {
	r, err := l.ring(app)
	if err != nil {
		l.stats.lost.Add(1)
		return
	}
	if first := r.mail.put(letter{l.opt.Now(), source, dyno, text}, &l.stats); first {
		l.posts.add(app, r)
	}
}

// put tells whether the letter is the first one.
func (m *mailbox) put(one letter, stats *counters) (first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.letters) >= maxMail {
		if m.dropped == 0 {
			m.droppedSince = one.at
		}
		m.dropped++
		stats.dropped.Add(1)
		return false
	}
	m.letters = append(m.letters, one)
	return len(m.letters) == 1
}

// take empties the mailbox into lines.
func (m *mailbox) take() []renga.LogLine {
	m.mu.Lock()
	letters, dropped, since := m.letters, m.dropped, m.droppedSince
	m.letters, m.dropped = nil, 0
	m.mu.Unlock()
	lines := make([]renga.LogLine, 0, len(letters)+1)
	for _, one := range letters {
		lines = append(lines, renga.LogLine{Time: one.at, Source: one.source, Dyno: one.dyno, Text: one.text.String()})
	}
	if dropped > 0 {
		lines = append(lines, renga.LogLine{
			Time: letters[len(letters)-1].at, Source: renga.SourceHeroku, Dyno: logplex,
			Text: overflow("L12", "Local buffer overflow", dropped, "dropped", since),
		})
	}
	return lines
}

// overflow words what Heroku says where lines were lost.
func overflow(code, name string, n int, what string, since time.Time) string {
	return fmt.Sprintf("Error %s (%s) -> %d messages %s since %s.", code, name, n, what, since.UTC().Format(time.RFC3339))
}

func (p *post) add(app renga.AppID, r *ring) {
	p.mu.Lock()
	p.full[app] = r
	p.mu.Unlock()
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

func (p *post) take() map[renga.AppID]*ring {
	p.mu.Lock()
	defer p.mu.Unlock()
	full := p.full
	p.full = map[renga.AppID]*ring{}
	return full
}

// Run writes what was offered, until ctx ends and all is written.
func (l *Logs) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			l.deliver()
			return nil
		case <-l.posts.signal:
			l.deliver()
		}
	}
}

func (l *Logs) deliver() {
	for app, r := range l.posts.take() {
		l.write(app, r.mail.take(), nil)
	}
}
