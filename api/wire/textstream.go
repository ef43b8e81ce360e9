package wire

import (
	"fmt"
	"io"
	"net/http"
)

// StreamText begins an answer that is text and comes bit by bit: each write is sent at
// once.
func StreamText(w http.ResponseWriter) (io.Writer, error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	out := flushWriter{w, http.NewResponseController(w)}
	if err := out.rc.Flush(); err != nil {
		return nil, fmt.Errorf("stream output: %w", err)
	}
	return out, nil
}

// flushWriter sends each write at once.
type flushWriter struct {
	io.Writer
	rc *http.ResponseController
}

func (f flushWriter) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	if err == nil {
		err = f.rc.Flush()
	}
	return n, err
}
