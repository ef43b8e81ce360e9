package git

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// input is a request's body. Its client may let us wait a while for the next bytes, and for
// all of them; then reading fails.
type input struct {
	body   io.Reader // what comes over the wire
	read   io.Reader // the same, unpacked
	rc     *http.ResponseController
	idle   time.Duration
	stream bool // it is HTTP/2's, which a deadline breaks even when nobody reads
	most   int64
	timer  *time.Timer

	mu      sync.Mutex
	stopped bool
}

var errInterrupted = errors.New("the client took too long, or is not listened to any more")

// readInput readies a body; end it.
func (g *Git) readInput(w http.ResponseWriter, req *http.Request) (*input, error) {
	in := &input{
		body: req.Body, rc: http.NewResponseController(w), idle: g.o.Idle, stream: req.ProtoMajor >= 2, most: 4 * g.o.MaxBytes,
	}
	in.timer = time.AfterFunc(g.o.TransferTimeout, in.interrupt)
	in.read = readerFunc(in.readBody)
	if req.Header.Get("Content-Encoding") != "gzip" {
		return in, nil
	}
	unpacked, err := gzip.NewReader(in.read)
	if err != nil {
		in.end()
		return nil, errUnread
	}
	in.read = unpacked
	return in, nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Read reads what the client sent, unpacked.
func (in *input) Read(p []byte) (int, error) { return in.read.Read(p) }

func (in *input) readBody(p []byte) (int, error) {
	in.mu.Lock()
	stopped := in.stopped
	if !stopped {
		_ = in.rc.SetReadDeadline(time.Now().Add(in.idle)) // a server without deadlines has others
	}
	in.mu.Unlock()
	if stopped {
		return 0, errInterrupted
	}
	n, err := in.body.Read(p)
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.stopped && (in.stream || errors.Is(err, io.EOF)) {
		_ = in.rc.SetReadDeadline(time.Time{}) // from now on the server watches the connection
	}
	return n, err
}

// interrupt has reading fail, at once if it waits.
func (in *input) interrupt() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.stopped = true
	_ = in.rc.SetReadDeadline(time.Unix(1, 0)) // a server without deadlines has others
}

// drain reads the rest for nothing, within bounds: a client that sends does not hear what is
// wrong before it has sent everything.
func (in *input) drain() {
	_, _ = io.CopyN(io.Discard, in.read, in.most) // it may end sooner
}

// end is called before the handler ends.
func (in *input) end() { in.timer.Stop() }

// answerWriter writes an answer, each piece as it comes.
type answerWriter struct {
	w        http.ResponseWriter
	rc       *http.ResponseController
	idle     time.Duration
	kind     string // content type
	before   string // what is written first
	outlives bool   // the work goes on when the client is gone

	begun, gone bool
}

func (g *Git) newAnswer(w http.ResponseWriter, kind string) *answerWriter {
	return &answerWriter{w: w, rc: http.NewResponseController(w), idle: g.o.Idle, kind: kind}
}

// begin begins an answer, which is a success.
func (a *answerWriter) begin() {
	if a.begun {
		return
	}
	a.begun = true
	a.w.Header().Set("Content-Type", a.kind)
	a.w.WriteHeader(http.StatusOK)
	if a.before != "" {
		_, _ = a.send([]byte(a.before)) // what comes next fails, too
	}
}

// Write writes to the client. Once it is gone the rest is dropped, or is an error.
func (a *answerWriter) Write(p []byte) (int, error) {
	a.begin()
	if a.gone && a.outlives {
		return len(p), nil
	}
	n, err := a.send(p)
	if err != nil && a.outlives {
		a.gone = true
		return len(p), nil
	}
	return n, err
}

func (a *answerWriter) send(p []byte) (int, error) {
	_ = a.rc.SetWriteDeadline(time.Now().Add(a.idle)) // a server without deadlines has others
	n, err := a.w.Write(p)
	if err == nil {
		err = a.rc.Flush()
	}
	if err == nil {
		_ = a.rc.SetWriteDeadline(time.Time{}) // as before
	}
	return n, err
}
