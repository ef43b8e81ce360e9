package renga

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// Where lines of an app's log come from.
const (
	SourceApp    = "app"    // what dynos print, and what people do to the app
	SourceHeroku = "heroku" // what the platform says of it
)

// MaxLogLine is where a longer line is split, in bytes.
const MaxLogLine = 10_000

// LogLine is one line of an app's log.
type LogLine struct {
	// ID counts an app's lines up from 1. Some may be missing.
	ID     uint64
	Time   time.Time
	Source string // SourceApp or SourceHeroku
	Dyno   string // web.1; also router, api
	Text   string // without line breaks
}

// logTime is how Heroku writes the time of a line.
const logTime = "2006-01-02T15:04:05.000000-07:00"

// String is the line as Heroku shows it, for instance
//
//	2026-11-22T20:27:22.820000+00:00 app[web.1]: Listening on 8080
func (l LogLine) String() string { return string(l.AppendText(nil)) }

// AppendText appends String to b.
func (l LogLine) AppendText(b []byte) []byte {
	b = l.Time.UTC().AppendFormat(b, logTime)
	b = append(b, ' ')
	b = append(b, l.Source...)
	b = append(b, '[')
	b = append(b, l.Dyno...)
	b = append(b, "]: "...)
	return append(b, l.Text...)
}

// ParseLogLine is the reverse of String, but for the ID, which it does not
// know. It is false for anything else.
func ParseLogLine(s string) (LogLine, bool) {
	stamp, rest, ok := strings.Cut(s, " ")
	head, text, ok2 := strings.Cut(rest, "]: ")
	source, dyno, ok3 := strings.Cut(head, "[")
	at, err := time.Parse(logTime, stamp)
	if !ok || !ok2 || !ok3 || err != nil {
		return LogLine{}, false
	}
	return LogLine{Time: at.UTC(), Source: source, Dyno: dyno, Text: text}, true
}

// LogFilter chooses lines. What is empty does not matter.
type LogFilter struct {
	Source string
	Dyno   string // a dyno's name, or the process type of several
	Type   string // a process type
}

// Matches tells whether a line is chosen.
func (f LogFilter) Matches(l LogLine) bool {
	if f.Source != "" && f.Source != l.Source {
		return false
	}
	return within(l.Dyno, f.Dyno) && within(l.Dyno, f.Type)
}

// within tells whether a dyno has that name, or is of the process type of that
// name; always for the empty name.
func within(dyno, name string) bool {
	return name == "" || name == dyno || strings.HasPrefix(dyno, name+".")
}

// LogMark says how far the output of one instance of a dyno has been kept:
// Count messages of those printed at Since or later, the latest of them at
// Until. A reader that starts again at Since skips that many.
type LogMark struct {
	Since, Until time.Time
	Count        int
	// Ended says that there is no more to come.
	Ended bool
}

// MaxDrains is how many drains an app may have.
const MaxDrains = 5

// Drain is a receiver of an app's log, outside the platform.
type Drain struct {
	ID  string // a UUID
	App AppID
	// URL may hold a password: it is for the app's owner and for the receiver.
	URL string
	// Token names the drain to its receiver.
	Token     string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// String names the drain without its URL.
func (d Drain) String() string { return d.Token }

// The schemes of drains: syslog over TCP, over TLS, over UDP; HTTP.
const (
	DrainTCP   = "syslog"
	DrainTLS   = "syslog+tls"
	DrainUDP   = "syslog+udp"
	DrainHTTP  = "http"
	DrainHTTPS = "https"
)

// ValidateDrainURL tells whether lines can be sent there. The error does not
// repeat the URL.
func ValidateDrainURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || len(text) > 2000:
		return Errorf(Invalid, "Url is not that of a drain; it is like syslog+tls://logs.example.com:6514 or "+
			"https://user:password@example.com/logs.")
	case !slices.Contains([]string{DrainTCP, DrainTLS, DrainUDP, DrainHTTP, DrainHTTPS}, u.Scheme):
		return Errorf(Invalid, "Url must begin with syslog://, syslog+tls://, syslog+udp://, http:// or https://.")
	case u.Scheme[:4] == DrainTCP[:4] && u.Port() == "":
		return Errorf(Invalid, "Url of a syslog drain must name a port, such as syslog://logs.example.com:514.")
	}
	return nil
}
