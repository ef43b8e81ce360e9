package logs

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"renga"
)

// A segment is a text file of batches. A batch is a head and lines as Heroku
// shows them, so that people and grep can read it:
//
//	#<id of the first line> <lines> <bytes of the lines> <checksum> <mark>...
//
// A mark is instance=since,until,count,ended with times in nanoseconds since
// 1970; without a value it removes an earlier one. The checksum is the CRC-32C,
// in hex, of the rest of the head and the lines.
const headStart = '#'

// marks are the marks of instances. A zero mark means that the instance is
// gone.
type marks map[string]renga.LogMark

// batch is a batch that was read.
type batch struct {
	first uint64
	count int
	lines []byte
	marks marks
	size  int // in the file
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode makes a batch.
func encode(first uint64, lines []renga.LogLine, ms marks) []byte {
	var body []byte
	for _, line := range lines {
		body = append(line.AppendText(body), '\n')
	}
	tail := ms.String()
	head := fmt.Sprintf("%d %d %d", first, len(lines), len(body))
	sum := crc32.Update(crc32.Checksum([]byte(head+tail), castagnoli), castagnoli, body)
	return append(fmt.Appendf(nil, "%c%s %08x%s\n", headStart, head, sum, tail), body...)
}

// String is the marks as written in a head, each after a space.
func (ms marks) String() string {
	var b strings.Builder
	for instance, m := range ms {
		b.WriteString(" " + instance)
		if m != (renga.LogMark{}) {
			fmt.Fprintf(&b, "=%d,%d,%d,%t", nanos(m.Since), nanos(m.Until), m.Count, m.Ended)
		}
	}
	return b.String()
}

// decode reads the first batch of b. It is false if there is no whole one.
func decode(b []byte) (batch, bool) {
	head, rest, ok := bytes.Cut(b, []byte{'\n'})
	if !ok || len(head) == 0 || head[0] != headStart {
		return batch{}, false
	}
	fields := strings.Split(string(head[1:]), " ")
	if len(fields) < 4 {
		return batch{}, false
	}
	first, err1 := strconv.ParseUint(fields[0], 10, 64)
	count, err2 := strconv.Atoi(fields[1])
	size, err3 := strconv.Atoi(fields[2])
	sum, err4 := strconv.ParseUint(fields[3], 16, 32)
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil || size < 0 || size > len(rest) {
		return batch{}, false
	}
	body := rest[:size]
	got := crc32.Checksum([]byte(strings.Join(fields[:3], " ")+tailOf(fields)), castagnoli)
	if crc32.Update(got, castagnoli, body) != uint32(sum) {
		return batch{}, false
	}
	return batch{first: first, count: count, lines: body, marks: parseMarks(fields[4:]), size: len(head) + 1 + size}, true
}

func tailOf(fields []string) string {
	if len(fields) == 4 {
		return ""
	}
	return " " + strings.Join(fields[4:], " ")
}

// parseMarks reads marks whose checksum was right.
func parseMarks(fields []string) marks {
	ms := marks{}
	for _, field := range fields {
		instance, value, _ := strings.Cut(field, "=")
		var since, until int64
		var m renga.LogMark
		if _, err := fmt.Sscanf(value, "%d,%d,%d,%t", &since, &until, &m.Count, &m.Ended); err == nil {
			m.Since, m.Until = timeOf(since), timeOf(until)
		}
		ms[instance] = m
	}
	return ms
}

// nanos and timeOf keep the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func timeOf(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// each calls f for every whole batch of b in turn, and returns how many bytes
// they have together.
func each(b []byte, f func(batch)) (whole int) {
	for whole < len(b) {
		next, ok := decode(b[whole:])
		if !ok {
			break
		}
		f(next)
		whole += next.size
	}
	return whole
}

// after gives the batch's lines with an id above that.
func (b batch) after(id uint64) []renga.LogLine {
	if b.count == 0 || b.first+uint64(b.count) <= id+1 {
		return nil
	}
	lines := make([]renga.LogLine, 0, b.count)
	n := b.first
	for text := range bytes.Lines(b.lines) {
		if line, ok := renga.ParseLogLine(string(bytes.TrimSuffix(text, []byte{'\n'}))); ok && n > id {
			line.ID = n
			lines = append(lines, line)
		}
		n++
	}
	return lines
}

// split cuts long lines and removes what would break the format.
func split(lines []renga.LogLine) []renga.LogLine {
	if !slices.ContainsFunc(lines, isUnfit) {
		return lines
	}
	var all []renga.LogLine
	for _, line := range lines {
		rest := strings.Map(plain, strings.ToValidUTF8(line.Text, "\uFFFD"))
		for len(rest) > renga.MaxLogLine {
			line.Text = renga.Head(rest, renga.MaxLogLine)
			rest = rest[len(line.Text):]
			all = append(all, line)
		}
		line.Text = rest
		all = append(all, line)
	}
	return all
}

func isUnfit(l renga.LogLine) bool {
	return len(l.Text) > renga.MaxLogLine || strings.ContainsAny(l.Text, "\n\r\x00") || !utf8.ValidString(l.Text)
}

// plain replaces characters that end a line. Progress bars print carriage
// returns.
func plain(r rune) rune {
	switch r {
	case '\n', '\r', 0:
		return ' '
	}
	return r
}
