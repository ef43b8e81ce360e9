package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"renga"
)

const (
	// keepAlivePause is how long a stream may send nothing: proxies cut one that is
	// silent for a minute.
	keepAlivePause = 15 * time.Second
	// sendTimeout is how long a client may take to receive one write.
	sendTimeout = time.Minute
)

// EventStream is an answer of server-sent events. Several goroutines may call its
// methods at once. They fail once the client has disconnected.
type EventStream struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	now func() time.Time

	mu   sync.Mutex
	buf  []byte
	last time.Time // of the last line that was sent
}

// NewEventStream sends nothing yet.
func NewEventStream(w http.ResponseWriter, now func() time.Time) *EventStream {
	return &EventStream{w: w, rc: http.NewResponseController(w), now: now, last: now()}
}

// Begin sends the headers of the answer and a first field, which may be empty.
func (s *EventStream) Begin(field string) error {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	s.w.WriteHeader(http.StatusOK)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sendLocked([]byte(field))
}

// Lines sends the lines after an id that match the filter.
func (s *EventStream) Lines(f renga.LogFilter, lines []renga.LogLine, after uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buf[:0]
	for _, line := range lines {
		if line.ID <= after || !f.Matches(line) {
			continue
		}
		b = strconv.AppendUint(append(b, "id: "...), line.ID, 10)
		b = append(b, "\ndata: "...)
		b = append(line.AppendText(b), "\n\n"...)
		s.last = line.Time
	}
	s.buf = b
	if len(b) == 0 {
		return nil
	}
	return s.sendLocked(b)
}

// Overflow tells a client that was too slow how many lines it missed, in Heroku's
// words.
func (s *EventStream) Overflow(missed uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := renga.LogLine{
		Time: s.now(), Source: renga.SourceHeroku, Dyno: "logplex",
		Text: fmt.Sprintf(
			"Error L11 (Tail buffer overflow) -> This tail session dropped %d messages since %s.", missed,
			Stamp(s.last),
		),
	}
	return s.sendLocked([]byte("data: " + line.String() + "\n\n"))
}

// KeepAlive sends comments until ctx ends, ending is closed, or the client has
// disconnected.
func (s *EventStream) KeepAlive(ctx context.Context, ending <-chan struct{}) {
	ticker := time.NewTicker(keepAlivePause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ending:
			return
		case <-ticker.C:
		}
		s.mu.Lock()
		err := s.sendLocked([]byte(":\n\n"))
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *EventStream) sendLocked(b []byte) error {
	if err := s.rc.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("send events: %w", err)
	}
	if _, err := s.w.Write(b); err != nil {
		return fmt.Errorf("send events: %w", err)
	}
	if err := s.rc.Flush(); err != nil {
		return fmt.Errorf("send events: %w", err)
	}
	return nil
}
