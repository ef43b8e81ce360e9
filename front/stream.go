package front

import (
	"net/http"
	"time"
)

// streamWriter is the writer of a stream of HTTP/2. Its client says by itself how
// much it takes, and may take nothing while the connection goes on. The deadline
// breaks the stream whether somebody writes or not, so it stands only meanwhile.
type streamWriter struct {
	http.ResponseWriter
	rc       *http.ResponseController
	patience time.Duration
}

func newStreamWriter(w http.ResponseWriter, patience time.Duration) *streamWriter {
	return &streamWriter{w, http.NewResponseController(w), patience}
}

// Write writes piece by piece.
func (s *streamWriter) Write(p []byte) (n int, err error) {
	defer s.setDeadline(0)
	for {
		s.setDeadline(s.patience)
		m, err := s.ResponseWriter.Write(p[n:min(len(p), n+onePiece)])
		n += m
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// FlushError is what http.ResponseController.Flush looks for.
func (s *streamWriter) FlushError() error {
	s.setDeadline(s.patience)
	defer s.setDeadline(0)
	return s.rc.Flush()
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (s *streamWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// end bounds what the server writes after the handler.
func (s *streamWriter) end() { s.setDeadline(s.patience) }

func (s *streamWriter) setDeadline(patience time.Duration) {
	until := time.Time{}
	if patience > 0 {
		until = time.Now().Add(patience)
	}
	_ = s.rc.SetWriteDeadline(until) // a stream that is broken needs none
}
