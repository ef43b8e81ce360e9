// Package printed makes lines of an app's log of what a container prints, each
// once, however often reading it breaks off and begins again.
package printed

import (
	"context"
	"time"

	"renga"
)

// linesAtOnce bounds what is kept in one piece.
const linesAtOnce = 1024

// Message is a line that was printed, or a part of a long one.
type Message struct {
	Time   time.Time
	Stderr bool
	Text   string
	// More says that the line goes on in the next of the same stream.
	More bool
}

// Reader makes lines of messages. Make one with Resume.
type Reader struct {
	name    string
	reading *reading
	out     [2]renga.LogLine // the begun line of stdout and of stderr
}

// Resume goes on from a mark: messages are read again from its time on. name is
// who the lines are from, for instance web.1.
func Resume(m renga.LogMark, name string) *Reader { return &Reader{name: name, reading: resume(m)} }

// Mark is how far the messages have been read.
func (r *Reader) Mark() renga.LogMark { return r.reading.mark }

// Read has all stored that read tells from a time on, while it goes on; ahead is how
// many messages may have been told and not yet taken. Lines that were begun are
// stored at the output's end, or when ctx ends, for nobody will go on with them.
func (r *Reader) Read(
	ctx context.Context, ahead int, read func(since time.Time, each func(Message)) error, store func([]renga.LogLine),
) error {
	messages, kept := make(chan Message, ahead), make(chan struct{})
	go func() {
		defer close(kept)
		r.keep(messages, store)
	}()
	err := read(r.Mark().Since, func(m Message) { messages <- m })
	close(messages)
	<-kept
	if err == nil || ctx.Err() != nil {
		if rest := r.rest(); len(rest) > 0 {
			store(rest)
		}
	}
	return err
}

// keep stores whatever has come by then, again and again, until there are no more
// messages.
func (r *Reader) keep(messages <-chan Message, store func([]renga.LogLine)) {
	for first := range messages {
		lines, more := r.add(nil, first), true
		for more && len(lines) < linesAtOnce {
			select {
			case next, ok := <-messages:
				if more = ok; ok {
					lines = r.add(lines, next)
				}
			default:
				more = false
			}
		}
		if len(lines) > 0 {
			store(lines)
		}
	}
}

// add puts a new message to the lines. A long line comes in parts and is cut
// where every long line is.
func (r *Reader) add(lines []renga.LogLine, m Message) []renga.LogLine {
	if !r.reading.fresh(m.Time) {
		return lines
	}
	begun := &r.out[0]
	if m.Stderr {
		begun = &r.out[1]
	}
	if begun.Text == "" {
		*begun = renga.LogLine{Time: m.Time, Source: renga.SourceApp, Dyno: r.name}
	}
	begun.Text += m.Text
	for len(begun.Text) > renga.MaxLogLine {
		piece := *begun
		piece.Text = renga.Head(begun.Text, renga.MaxLogLine)
		begun.Text = begun.Text[len(piece.Text):]
		lines = append(lines, piece)
	}
	if !m.More {
		lines = append(lines, *begun)
		begun.Text = ""
	}
	return lines
}

// rest is what there is of begun lines.
func (r *Reader) rest() (lines []renga.LogLine) {
	for n := range r.out {
		if r.out[n].Text != "" {
			lines = append(lines, r.out[n])
			r.out[n].Text = ""
		}
	}
	return lines
}
