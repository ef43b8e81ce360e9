package scheduler

import (
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // an image without a system has no time zones

	"github.com/robfig/cron/v3"

	"renga"
)

// timetable tells when a schedule is due.
//
// Days on which the clocks change are as with Debian's cron. A run at a time of
// day that is left out is due when the clocks have changed; a run at one that
// comes twice is due the first time only. Lines whose minute or hour begins
// with a star go by real time.
type timetable struct {
	line cron.Schedule
	zone *time.Location
	real bool
}

var (
	// cronLine matches the lines that the parser gets. It panics at time zones in
	// front of lines, and takes fields without a value.
	cronLine = regexp.MustCompile(`^(?:@[a-z]+|(?:[0-9A-Za-z*?/-]+(?:,[0-9A-Za-z*?/-]+)*(?: +|$)){5})$`)
	parser   = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
)

// maxCron bounds a line, in bytes.
const maxCron = 200

// read makes a timetable out of a schedule's cron line and zone.
func read(s renga.Schedule) (timetable, error) {
	bad := func(why string) (timetable, error) {
		return timetable{}, renga.Errorf(renga.Invalid,
			"Cron must be five fields such as `30 3 * * 1-5` (minute, hour, day of the month, month, day of the week from 0 "+
				"for Sunday), "+
				"or @hourly, @daily, @weekly, @monthly or @yearly%s.", why)
	}
	if len(s.Cron) > maxCron || !cronLine.MatchString(s.Cron) {
		return bad("")
	}
	line, err := parser.Parse(s.Cron)
	if err != nil {
		return bad("; " + err.Error())
	}
	zone, err := time.LoadLocation(s.Zone)
	if err != nil || zone == time.Local {
		return timetable{}, renga.Errorf(renga.Invalid, "Timezone must be a name such as UTC or Europe/Berlin.")
	}
	fields := strings.Fields(s.Cron)
	byHour := s.Cron == "@hourly" || len(fields) > 1 && strings.ContainsAny(fields[0][:1]+fields[1][:1], "*?")
	return timetable{line, zone, byHour}, nil
}

// wall is what the clocks show at t, as a time in a zone whose clocks never
// change.
func (tt timetable) wall(t time.Time) time.Time {
	_, offset := t.In(tt.zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// instant is the first time at which the clocks show w, or more where they leave
// it out.
func (tt timetable) instant(w time.Time) time.Time {
	t := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), 0, 0, tt.zone)
	start, end := t.ZoneBounds()
	switch shown := tt.wall(t); {
	case shown.After(w):
		return start
	case shown.Before(w):
		return end
	case start.IsZero():
		return t
	}
	back := tt.wall(start.Add(-time.Second)).Sub(tt.wall(start)) + time.Second
	if twin := t.Add(-back); back > 0 && twin.Before(start) {
		return twin
	}
	return t
}

// next is when the schedule is due after a time; zero for never.
func (tt timetable) next(after time.Time) time.Time {
	after = after.Truncate(time.Second)
	if tt.real {
		return tt.nextReal(after)
	}
	for w := tt.line.Next(tt.wall(after)); !w.IsZero(); w = tt.line.Next(w) {
		if t := tt.instant(w); t.After(after) {
			return t.UTC()
		}
	}
	return time.Time{}
}

// changes bounds how many changes of the clocks are taken into account.
const changes = 40

// nextReal is next for lines that go by real time: between two changes of the
// clocks nothing is left out and nothing comes twice.
func (tt timetable) nextReal(after time.Time) time.Time {
	for range changes {
		shown := tt.wall(after)
		w := tt.line.Next(shown)
		if w.IsZero() {
			return w
		}
		t := after.Add(w.Sub(shown))
		_, end := after.In(tt.zone).ZoneBounds()
		if end.IsZero() || t.Before(end) {
			return t.UTC()
		}
		if w = tt.wall(end); w.Equal(tt.line.Next(w.Add(-time.Second))) {
			return end.UTC()
		}
		after = end
	}
	return time.Time{}
}

// decision is what to do about a due schedule.
type decision struct {
	// start is the time whose run is to be started; zero for none.
	start time.Time
	// missed is the last time whose run was missed, and since the first; zero
	// for none.
	missed, since time.Time
	// next is when the schedule is due after now.
	next time.Time
}

// decide says what to do at now about a schedule that was to run at due. A run
// starts within grace of its time or not at all, and only the last one of those
// missed is recorded.
func (tt timetable) decide(due, now time.Time) decision {
	before, last := time.Time{}, due
	for t := tt.recent(due, now); !t.IsZero() && !t.After(now); t = tt.next(t) {
		if t.After(last) {
			before, last = last, t
		}
	}
	v := decision{next: tt.next(now)}
	switch fresh := now.Sub(last) < grace; {
	case fresh && before.IsZero():
		v.start = last
	case fresh:
		v.start, v.missed, v.since = last, before, due
	default:
		v.missed, v.since = last, due
	}
	return v
}

// recent is a time after due at which the schedule was due, not long before the
// last one until now; zero if there is none.
func (tt timetable) recent(due, now time.Time) time.Time {
	for _, back := range []time.Duration{2 * time.Hour, 2 * 24 * time.Hour, 62 * 24 * time.Hour} {
		from := now.Add(-back)
		if from.Before(due) {
			break
		}
		if t := tt.next(tt.next(from)); !t.After(now) {
			return tt.next(from)
		}
	}
	return tt.next(due)
}
