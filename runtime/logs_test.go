package runtime_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/enginetest"
)

// fakeLogs is a runtime.Logs that lasts as long as the test.
type fakeLogs struct {
	mu    sync.Mutex
	lines []string
	marks map[string]renga.LogMark
	gone  []renga.AppID
	slow  time.Duration // how long keeping takes
}

func (n *fakeLogs) Line(_ renga.AppID, source, dyno, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, source+"["+dyno+"]: "+text)
}

func (n *fakeLogs) Keep(app renga.AppID, instance string, lines []renga.LogLine, m renga.LogMark) {
	time.Sleep(n.slow)
	for _, line := range lines {
		n.Line(app, line.Source, line.Dyno, line.Text)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.marks[instance] = m
}

func (n *fakeLogs) Mark(_ renga.AppID, instance string) renga.LogMark {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.marks[instance]
}

func (n *fakeLogs) Forget(app renga.AppID, instance string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if instance == "" {
		n.gone = append(n.gone, app)
	}
	delete(n.marks, instance)
	return nil
}

func (n *fakeLogs) Apps() ([]renga.AppID, error) { return nil, nil }

// said gives what was said since the last call, of some dynos.
func (n *fakeLogs) said(dynos ...string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var lines []string
	for _, line := range n.lines {
		if len(dynos) == 0 || slices.ContainsFunc(dynos, func(d string) bool { return strings.Contains(line, "["+d+"]") }) {
			lines = append(lines, line)
		}
	}
	n.lines = nil
	return lines
}

// withLogs is withFixture with a log and more programs.
func withLogs(t *testing.T, test func(*fixture, *fakeLogs)) {
	withFixture(t, func(h *fixture) {
		all := programs()
		all["chatty"] = enginetest.Program{Lines: []string{"one", "two"}, Bye: "bye"}
		all["latecomer"] = enginetest.Program{Pull: time.Second, Lines: []string{"one"}, Bye: "bye"}
		all["hoard"] = enginetest.Program{Fills: 3 << 30}
		all["gorge"] = enginetest.Program{Listens: -1, Starves: true, Exits: true, After: 100 * time.Millisecond, Code: 137, OOM: true}
		h.Memory = enginetest.NewMemory(nil, all)
		h.engine, h.options.Probe = h.Memory, h.Memory.Probe
		n := &fakeLogs{marks: map[string]renga.LogMark{}}
		h.options.Logs = n
		test(h, n)
	})
}

func TestTheLogTellsADynosLife(t *testing.T) {
	withLogs(t, func(h *fixture, n *fakeLogs) {
		h.run()
		h.scale("worker=1")
		h.deploy(1, "worker=chatty")
		is(t, "the start", n.said(),
			"heroku[worker.1]: State changed from down to starting",
			"heroku[worker.1]: Starting process with command `chatty`",
			"app[worker.1]: one", "app[worker.1]: two",
			"heroku[worker.1]: State changed from starting to up")
		h.run()
		h.after(time.Minute)
		is(t, "after a restart of the manager", n.said())
		h.scale("worker=0")
		h.after(time.Second)
		said := n.said()
		slices.Sort(said) // the state changes meanwhile
		is(t, "the end", said,
			"app[worker.1]: bye",
			"heroku[worker.1]: Process exited with status 143",
			"heroku[worker.1]: State changed from up to down",
			"heroku[worker.1]: Stopping all processes with SIGTERM")
		if len(n.marks) != 0 {
			t.Errorf("marks of dynos that are gone: %v", n.marks)
		}
	})
}

func TestLastLinesAreKeptBeforeADynoIsRemoved(t *testing.T) {
	withLogs(t, func(h *fixture, n *fakeLogs) {
		h.run()
		h.scale("worker=1")
		h.deploy(1, "worker=chatty")
		n.slow = 2 * time.Second
		h.scale("worker=0")
		h.after(time.Minute)
		if said := n.said(); !slices.Contains(said, "app[worker.1]: bye") {
			t.Errorf("said: %q", said)
		}
	})
}

func TestCrashesAreToldOnceWithTheirLastLines(t *testing.T) {
	withLogs(t, func(h *fixture, n *fakeLogs) {
		h.run()
		h.scale("worker=1")
		h.deploy(1, "worker=crash")
		h.end()
		said := n.said()
		for _, want := range []string{"app[worker.1]: no database at db:5432", "app[worker.1]: bye",
			"heroku[worker.1]: Process exited with status 1"} {
			if k := count(said, want); k != len(h.did())/2 && k < 2 {
				t.Errorf("%q is said %d times: %q", want, k, said)
			}
		}
		if count(said, "app[worker.1]: bye") != count(said, "heroku[worker.1]: Process exited with status 1") {
			t.Errorf("said: %q", said)
		}
		h.run()
		h.after(time.Second)
		if k := count(n.said(), "heroku[worker.1]: Process exited with status 1"); k > 1 {
			t.Errorf("the old crash is told again, %d times", k)
		}
		h.store.mu.Lock()
		defer h.store.mu.Unlock()
		exit := h.dynos[0].Exit
		if exit == nil || exit.Code != 1 || exit.OutOfMemory || !slices.Equal(exit.LastLines, []string{"no database at db:5432", "bye"}) {
			t.Errorf("exit %+v", exit)
		}
	})
}

func count(lines []string, line string) (n int) {
	for _, l := range lines {
		if l == line {
			n++
		}
	}
	return n
}

func TestFaultsAreToldWithTheirCodes(t *testing.T) {
	for _, c := range []struct {
		program string
		after   time.Duration
		scale   string
		want    []string
	}{
		{"mute", 61 * time.Second, "web=1", []string{
			"heroku[web.1]: Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch; " +
				"it listens on nothing; it must listen on 0.0.0.0:8080, the value of $PORT",
			"heroku[web.1]: Stopping process with SIGKILL",
			"heroku[web.1]: Process exited with status 137",
		}},
		{"stubborn", 31 * time.Second, "web=0", []string{
			"heroku[web.1]: Stopping all processes with SIGTERM",
			"heroku[web.1]: Error R12 (Exit timeout) -> At least one process failed to exit within 30 seconds of SIGTERM",
			"heroku[web.1]: Stopping remaining processes with SIGKILL",
			"heroku[web.1]: Process exited with status 137",
		}},
		{"grow", time.Second, "web=1", []string{
			"heroku[web.1]: Error R15 (Memory quota vastly exceeded) -> The process used more memory than standard-1x allows",
			"heroku[web.1]: Stopping process with SIGKILL",
			"heroku[web.1]: Process exited with status 137",
		}},
		{"hoard", time.Second, "web=1", []string{
			"heroku[web.1]: Error R20 (Disk quota exceeded) -> The dyno has 3072 MB on its disk, more than standard-1x allows",
			"heroku[web.1]: Stopping process with SIGKILL",
			"heroku[web.1]: Process exited with status 137",
		}},
		{"absent", time.Second, "web=1", []string{
			`heroku[web.1]: Process could not be started: The image has no program "absent".`,
		}},
	} {
		withLogs(t, func(h *fixture, n *fakeLogs) {
			h.run()
			h.scale("web=1")
			h.deploy(1, "web="+c.program)
			h.scale(c.scale)
			h.after(c.after)
			said := n.said()
			at := 0
			for _, line := range said {
				if at < len(c.want) && line == c.want[at] {
					at++
				}
			}
			if at < len(c.want) {
				t.Errorf("%s: %q is missing in this order in\n%s", c.program, c.want[at], strings.Join(said, "\n"))
			}
		})
	}
}

func TestAChildWithoutMemoryIsToldAtOnceAndNotTooOften(t *testing.T) {
	const r15 = "heroku[web.1]: Error R15 (Memory quota vastly exceeded) -> The process used more memory than standard-1x allows"
	withLogs(t, func(h *fixture, n *fakeLogs) {
		h.run()
		h.scale("web=1")
		h.deploy(1, "web=serve")
		h.after(3 * time.Second)
		for _, c := range []struct {
			wait time.Duration
			told int
		}{{0, 1}, {19 * time.Second, 0}, {time.Second, 1}} {
			h.after(c.wait)
			h.Starve("web.1")
			if got := count(n.said(), r15); got != c.told {
				t.Fatalf("%s later told %d times; want %d", c.wait, got, c.told)
			}
		}
		if len(h.dynos) != 1 || h.dynos[0].State != renga.Up {
			t.Errorf("the dynos are %+v; it goes on", h.dynos)
		}

		h.deploy(2, "web=gorge")
		h.after(10 * time.Second)
		said := n.said()
		if told, ended := count(said, r15), count(said, "heroku[web.1]: Process exited with status 137"); told != ended || told == 0 {
			t.Errorf("%d dynos ended for lack of memory, which was told %d times", ended, told)
		}
	})
}

func TestOutputOutlivesAnEngineThatGoesAway(t *testing.T) {
	withLogs(t, func(h *fixture, n *fakeLogs) {
		h.run()
		h.scale("worker=1")
		h.deploy(1, "worker=chatty")
		n.said()
		h.Away()
		h.after(time.Minute)
		h.Back()
		h.after(time.Minute)
		is(t, "lines that were told already", n.said())
		h.scale("worker=0")
		h.after(time.Minute)
		if said := n.said(); !slices.Contains(said, "app[worker.1]: bye") {
			t.Errorf("said: %q", said)
		}
	})
}

func TestTheLogGoesWithTheApp(t *testing.T) {
	withLogs(t, func(h *fixture, n *fakeLogs) {
		h.run()
		h.scale("worker=1")
		h.deploy(1, "worker=chatty")
		h.change(func(d *renga.Desired) { d.App.Deleting = true })
		h.m.Reconcile(app)
		h.after(time.Minute)
		if !slices.Contains(n.gone, app) {
			t.Error("the log of a removed app is kept")
		}
	})
}

// TestLongLinesArePutTogether has a line come in parts, as Docker tells it.
func TestLongLinesArePutTogether(t *testing.T) {
	withLogs(t, func(h *fixture, n *fakeLogs) {
		h.engine = parts{h.Memory}
		h.run()
		h.scale("worker=1")
		h.deploy(1, "worker=work")
		h.scale("worker=0")
		h.after(time.Second)
		said := n.said("worker.1")
		var sizes []int
		for _, line := range said {
			if text, ok := strings.CutPrefix(line, "app[worker.1]: "); ok {
				sizes = append(sizes, len(text))
			}
		}
		if !slices.Equal(sizes, []int{10_000, 5, 10_000, 5000, 3}) {
			t.Errorf("lines of %v bytes", sizes)
		}
	})
}

// TestLongLinesAreCutBetweenCharacters has the cut, and the end of a part, fall
// within a character.
func TestLongLinesAreCutBetweenCharacters(t *testing.T) {
	withLogs(t, func(h *fixture, n *fakeLogs) {
		h.engine = euros{h.Memory}
		h.run()
		h.scale("worker=1")
		h.deploy(1, "worker=work")
		h.scale("worker=0")
		h.after(time.Second)
		var all []string
		for _, line := range n.said("worker.1") {
			if text, ok := strings.CutPrefix(line, "app[worker.1]: "); ok {
				all = append(all, text)
			}
		}
		if len(all) != 2 || len(all[0]) != 9998 || strings.Join(all, "") != "xx"+strings.Repeat("€", 4000) {
			t.Errorf("%d lines, the first of %d bytes", len(all), len(all[0]))
		}
		for _, line := range all {
			if !utf8.ValidString(line) {
				t.Errorf("a line is cut within a character: …%q", line[len(line)-5:])
			}
		}
	})
}

// euros is an engine whose instances print one long line, in parts as Docker
// makes them.
type euros struct{ *enginetest.Memory }

func (e euros) ReadOutput(ctx context.Context, id string, since time.Time, tell func(engine.Printed)) error {
	at, line := time.Now(), "xx"+strings.Repeat("€", 4000)
	tell(engine.Printed{Time: at, Text: line[:9000], More: true})
	tell(engine.Printed{Time: at, Text: line[9000:]})
	return nil
}

// parts is an engine whose instances print one long line of 25,000 bytes.
type parts struct{ *enginetest.Memory }

func (p parts) ReadOutput(ctx context.Context, id string, since time.Time, tell func(engine.Printed)) error {
	at := time.Now()
	tell(engine.Printed{Time: at, Text: strings.Repeat("x", 16_000), More: true})
	tell(engine.Printed{Time: at, Text: "other", Stderr: true})
	tell(engine.Printed{Time: at, Text: strings.Repeat("x", 9_000)})
	tell(engine.Printed{Time: at, Text: "end", More: true})
	return p.Memory.ReadOutput(ctx, id, since, tell)
}
