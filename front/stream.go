package front

import (
	"net/http"
	"time"
)

// streamWriter writes to a stream of HTTP/2. Its client may take nothing of it while
// the connection goes on, for each stream has its own flow control. The deadline
// breaks the stream even when nobody writes, so it is set only during a write.
type streamWriter struct {
	http.ResponseWriter
	rc      *http.ResponseController
	timeout time.Duration
}

func newStreamWriter(w http.ResponseWriter, timeout time.Duration) *streamWriter {
	return &streamWriter{w, http.NewResponseController(w), timeout}
}

// Write writes piece by piece.
func (s *streamWriter) Write(p []byte) (n int, err error) {
	defer s.setDeadline(0)
	for {
		s.setDeadline(s.timeout)
		m, err := s.ResponseWriter.Write(p[n:min(len(p), n+onePiece)])
		n += m
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// FlushError is what http.ResponseController.Flush looks for.
func (s *streamWriter) FlushError() error {
	s.setDeadline(s.timeout)
	defer s.setDeadline(0)
	return s.rc.Flush()
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (s *streamWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// end bounds what the server writes after the handler has ended.
func (s *streamWriter) end() { s.setDeadline(s.timeout) }

func (s *streamWriter) setDeadline(timeout time.Duration) {
	until := time.Time{}
	if timeout > 0 {
		until = time.Now().Add(timeout)
	}
	_ = s.rc.SetWriteDeadline(until) // a broken stream needs none
}
