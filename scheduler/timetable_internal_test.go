package scheduler

import (
	"strings"
	"testing"
	"time"

	"renga"
)

func mustRead(t testing.TB, cron, zone string) timetable {
	t.Helper()
	tt, err := read(renga.Schedule{Cron: cron, Zone: zone})
	if err != nil {
		t.Fatalf("%s: %v", cron, err)
	}
	return tt
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestNextTimes(t *testing.T) {
	for _, test := range []struct{ cron, zone, after, want string }{
		{"* * * * *", "", "2026-01-02T03:04:05Z", "03:05Z 03:06Z"},
		{"*/15 * * * *", "", "2026-01-02T03:04:05Z", "03:15Z 03:30Z"},
		{"@hourly", "", "2026-01-02T03:00:00Z", "04:00Z 05:00Z"},
		{"30 3 * * 1-5", "", "2026-01-02T03:30:00Z", "2026-01-05T03:30Z 2026-01-06T03:30Z"},
		{"0 0 31 * *", "", "2026-01-31T00:00:00Z", "2026-03-31T00:00Z 2026-05-31T00:00Z"},
		{"0 0 29 feb *", "", "2026-01-01T00:00:00Z", "2028-02-29T00:00Z 2032-02-29T00:00Z"},
		{"0 12 1 * MON", "", "2026-05-30T00:00:00Z", "2026-06-01T12:00Z 2026-06-08T12:00Z"}, // either day
		{"@monthly", "", "2026-12-01T00:00:00Z", "2027-01-01T00:00Z 2027-02-01T00:00Z"},
		{"0 9 * * *", "Asia/Tokyo", "2026-01-02T00:00:00Z", "2026-01-03T00:00Z 2026-01-04T00:00Z"},
		{"*/30 * * * *", "Asia/Kathmandu", "2026-01-02T00:00:00Z", "00:15Z 00:45Z"},

		// In Berlin 02:00 to 03:00 is left out on 29 March, and comes twice on 25 October.
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00Z 2026-03-30T00:30Z"},
		{"15,45 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00Z 2026-03-30T00:15Z"},
		{"0 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00Z 2026-03-30T01:00Z"},
		{"0 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", "01:00Z 02:00Z"},
		{"*/30 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", "01:00Z 01:30Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30Z 2026-10-26T01:30Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-26T01:30Z 2026-10-27T01:30Z"},
		{"30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "00:30Z 01:30Z"},
		{"*/30 2 * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "00:30Z 01:00Z"},

		// Other changes: half an hour, at midnight.
		{"10 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T15:30Z 2026-10-04T15:10Z"},
		{"0 0 4 11 *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-04T03:00Z 2019-11-04T03:00Z"},
		{"0 1 4 11 *", "America/Sao_Paulo", "2018-11-03T23:00:00Z", "2018-11-04T03:00Z 2019-11-04T04:00Z"},
		{"@daily", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-04T03:00Z 2018-11-05T02:00Z"},
	} {
		tt, got := mustRead(t, test.cron, test.zone), at(t, test.after)
		for _, want := range strings.Fields(test.want) {
			got = tt.next(got)
			if text := got.Format("2006-01-02T15:04Z"); !strings.HasSuffix(text, want) {
				t.Errorf("%s in %q after %s: %s, want %s", test.cron, test.zone, test.after, text, test.want)
			}
		}
	}
}

func TestLinesThatAreNone(t *testing.T) {
	for _, cron := range []string{
		"", "daily", "@every 1m", "@reboot", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *",
		"* * * * 7",
		"*/0 * * * *", "5-1 * * * *", "TZ=", "TZ=UTC", "CRON_TZ=UTC * * * * *", "* * * * *\n* * * * *", "a b c d e",
		", * * * *", "1,,2 * * * *", "1, * * * *", strings.Repeat("*", 201),
	} {
		if _, err := read(renga.Schedule{Cron: cron}); renga.KindOf(err) != renga.Invalid ||
			!strings.HasPrefix(err.Error(), "Cron must be") {
			t.Errorf("%q: %v", cron, err)
		}
	}
	for _, zone := range []string{"Local", "Europe/Atlantis", "../../etc/passwd", "+01:00"} {
		if _, err := read(renga.Schedule{Cron: "@daily", Zone: zone}); renga.KindOf(err) != renga.Invalid ||
			!strings.HasPrefix(err.Error(), "Timezone") {
			t.Errorf("%q: %v", zone, err)
		}
	}
	for _, cron := range []string{"0 0 31 2 *", "0 0 31 4,6 *"} {
		if next := mustRead(t, cron, "").next(at(t, "2026-01-01T00:00:00Z")); !next.IsZero() {
			t.Errorf("%q comes at %v", cron, next)
		}
	}
}

func TestWhatIsDueIsJudged(t *testing.T) {
	for _, test := range []struct{ name, cron, due, now, start, missed, next string }{
		{"in time", "* * * * *", "12:00:00", "12:00:00", "12:00:00", "", "12:01:00"},
		{"a little late", "@hourly", "12:00:00", "12:00:59", "12:00:00", "", "13:00:00"},
		{"too late", "@hourly", "12:00:00", "12:01:00", "", "12:00:00", "13:00:00"},
		{"much too late", "@hourly", "03:00:00", "12:30:00", "", "12:00:00", "13:00:00"},
		{"some too late", "* * * * *", "03:00:00", "12:30:30", "12:30:00", "12:29:00", "12:31:00"},
		{"one too late", "* * * * *", "12:29:00", "12:30:30", "12:30:00", "12:29:00", "12:31:00"},
	} {
		day := func(clock string) time.Time {
			if clock == "" {
				return time.Time{}
			}
			return at(t, "2026-01-02T"+clock+"Z")
		}
		v := mustRead(t, test.cron, "").decide(day(test.due), day(test.now))
		if !v.start.Equal(day(test.start)) || !v.missed.Equal(day(test.missed)) || !v.next.Equal(day(test.next)) {
			t.Errorf("%s: %+v", test.name, v)
		}
		if test.missed != "" && !v.since.Equal(day(test.due)) {
			t.Errorf("%s: since %v", test.name, v.since)
		}
	}
}

// TestYearsAreJudgedAtOnce: a Renga that was down for long does not count the
// minutes.
func TestYearsAreJudgedAtOnce(t *testing.T) {
	due, now := at(t, "2006-01-02T15:04:00Z"), at(t, "2026-01-02T03:04:30Z")
	for cron, missed := range map[string]string{
		"* * * * *": "2026-01-02T03:03:00Z", "@hourly": "2026-01-02T03:00:00Z", "@daily": "2026-01-02T00:00:00Z",
		"@weekly": "2025-12-28T00:00:00Z", "@monthly": "2026-01-01T00:00:00Z", "@yearly": "2026-01-01T00:00:00Z",
		"0 0 29 2 *": "2024-02-29T00:00:00Z",
	} {
		if v := mustRead(t, cron, "").decide(due, now); !v.missed.Equal(at(t, missed)) {
			t.Errorf("%s: missed %v, want %s", cron, v.missed, missed)
		}
	}
}

// FuzzRead: whatever people write, it is refused or comes later than now.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"* * * * *", "@daily", "1-5/2,7 */3 ? jan-mar sun", "TZ=", "99999999999999999999 * * * *",
	} {
		f.Add(seed, "Europe/Berlin")
	}
	now := time.Date(2026, 10, 25, 0, 59, 30, 0, time.UTC)
	f.Fuzz(func(t *testing.T, cron, zone string) {
		tt, err := read(renga.Schedule{Cron: cron, Zone: zone})
		if err != nil {
			return
		}
		if next := tt.next(now); !next.IsZero() && !next.After(now) {
			t.Errorf("%q in %q comes at %v", cron, zone, next)
		}
	})
}
