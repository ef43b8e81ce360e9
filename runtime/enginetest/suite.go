// Package enginetest holds what every engine must do, as a test suite, and an
// engine without containers for the tests of whoever uses engines.
package enginetest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/runtime/engine"
)

// Fixture is an engine and programs that it can run. Of each Spec the suite uses
// Image, Size and Env; it fills in the rest: App, AppName, Dyno, Name, Type,
// Release, Port and Crashes, and in Env PORT and DYNO.
type Fixture struct {
	Engine engine.Engine

	// Serve listens on every address at $PORT and ends on SIGTERM with status 0.
	Serve engine.Spec
	// Exit ends at once with status 3.
	Exit engine.Spec
	// Stubborn ignores SIGTERM.
	Stubborn engine.Spec
	// Chatty prints "line 1" to "line 100", a line each, then one more line,
	// "GREETING=" and the value of that variable, and runs on until SIGTERM, on
	// which it prints "bye".
	Chatty engine.Spec
	// Echo prints "ready", then all of its input, and at its end "terminal: " and
	// whether it has one, and ends with status 5.
	Echo engine.Spec
	// Starving has a child that uses more memory than the instance may and is killed
	// for that, again and again; it runs on itself, until SIGTERM, on which it ends
	// with status 0.
	Starving engine.Spec
	// Filling write to their disks without end, each in another way.
	Filling []engine.Spec
	// Keeper appends a byte to the file "notes" at /disk, prints "notes: " and how many
	// bytes it has, "read-only" besides when it could not append, and runs on until
	// SIGTERM, on which it ends with status 0.
	Keeper engine.Spec
	// Disk makes a volume of that name, until the test's end.
	Disk func(t *testing.T, name string)
	// Absent names an image that is neither on the engine nor in its registry,
	// which answers that there is no such image.
	Absent engine.Spec

	// Probe tells whether something listens at an Instance.Addr. The default
	// is a TCP connection.
	Probe func(ctx context.Context, addr string) error
}

// port is where the suite's web dynos listen.
const port = 8080

// Suite checks that an engine keeps the contract of [engine.Engine], and those
// of the optional abilities that it has. It uses apps of its own, removes all
// that it starts and needs some seconds.
func Suite(t *testing.T, w Fixture) {
	if w.Probe == nil {
		w.Probe = connect
	}
	for _, c := range []struct {
		must string
		test func(*bench)
	}{
		{"a started instance is listed with all of its spec", testStart},
		{"a web dyno is reached at its address", testAddr},
		{"only web dynos have an address", testNoAddr},
		{"list keeps apps apart", testApps},
		{"an exited instance stays with its status", testExit},
		{"two of one name and release may be at once", testTwins},
		{"many starts at once", testConcurrent},
		{"stop ends and removes", testStop},
		{"stop kills after the grace", testStubborn},
		{"stop of an exited or absent one is no error", testStopAgain},
		{"kill ends at once and keeps", testKill},
		{"kill of an exited or absent one is no error", testKillAgain},
		{"a command that is not there is invalid", testNoCommand},
		{"an image that is not there is invalid", testNoImage},
		{"a start whose context ended leaves nothing", testCancelled},
		{"list and stop with an ended context are errors", testEnded},
		{"watch tells of starts and ends", testWatch},
		{"watch tells of a child without memory, whose parent ends well", testStarving},
		{"watch returns when its context ends", testWatchEnds},
		{"tail gives the last lines, oldest first", testTail},
		{"output is read to its end, and again from a time on", testOutput},
		{"reading output ends with its context", testOutputEnds},
		{"terminate ends and keeps, with the last line", testTerminate},
		{"terminate kills after the grace", testTerminateStubborn},
		{"an attached one gets its input and gives its output", testAttach},
		{"an attached one may have a terminal", testTerminal},
		{"an attached one that never began is stopped", testNeverBegun},
		{"megabytes go through an attached one", testAttachMuch},
		{"the environment arrives", testEnv},
		{"ports lists what is listened on", testPorts},
		{"measure tells what a running one uses", testMeasure},
		{"an instance that writes too much is told of soon", testFilling},
		{"a disk outlives its instances", testDisk},
		{"a disk that is not there may come yet, and none is made", testNoDisk},
		{"forget is harmless, twice and before another start", testForget},
	} {
		t.Run(c.must, func(t *testing.T) { c.test(newBench(t, w)) })
	}
}

// bench is one subtest's place to work: an app of its own, emptied at the end.
type bench struct {
	*testing.T
	Fixture
	app renga.AppID
}

func newBench(t *testing.T, w Fixture) *bench {
	b := &bench{T: t, Fixture: w, app: renga.AppID(uuid.NewString())}
	t.Cleanup(func() { b.clear(b.app) })
	return b
}

// clear removes all that an app has on the engine.
func (b *bench) clear(app renga.AppID) {
	ctx := context.WithoutCancel(b.Context())
	all, err := b.Engine.List(ctx, app)
	if err != nil {
		b.Errorf("list what is left: %v", err)
	}
	for _, i := range all {
		if err := b.Engine.Stop(ctx, i.ID, 0); err != nil {
			b.Errorf("stop %s: %v", i.Name, err)
		}
	}
	if f, ok := b.Engine.(engine.Forgetter); ok {
		if err := f.Forget(ctx, app); err != nil {
			b.Errorf("forget the app: %v", err)
		}
	}
}

// spec makes a template into a whole spec for a dyno of the subtest's app.
func (b *bench) spec(of engine.Spec, typ renga.ProcessType, n int) engine.Spec {
	of.App, of.AppName = b.app, "suite"
	of.Dyno, of.Name, of.Type = uuid.NewString(), renga.DynoName(typ, n), typ
	of.Release, of.Crashes = 7, 2
	of.Env = renga.Merge(of.Env, renga.Vars{"DYNO": of.Name})
	if typ == renga.Web {
		of.Port = port
		of.Env["PORT"] = fmt.Sprint(port)
	}
	return of
}

func (b *bench) start(s engine.Spec) engine.Instance {
	b.Helper()
	i, err := b.Engine.Start(b.Context(), s)
	if err != nil {
		b.Fatalf("start %s: %v", s.Name, err)
	}
	return i
}

func (b *bench) list(app renga.AppID) []engine.Instance {
	b.Helper()
	all, err := b.Engine.List(b.Context(), app)
	if err != nil {
		b.Fatalf("list: %v", err)
	}
	return all
}

// find looks one instance up; it reports false when there is none.
func (b *bench) find(id string) (engine.Instance, bool) {
	b.Helper()
	all := b.list(b.app)
	n := slices.IndexFunc(all, func(i engine.Instance) bool { return i.ID == id })
	if n < 0 {
		return engine.Instance{}, false
	}
	return all[n], true
}

// until polls what the outside world does in its own time.
func (b *bench) until(what string, done func() bool) {
	b.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			b.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// exited waits until an instance is exited, and gives it.
func (b *bench) exited(id string) engine.Instance {
	b.Helper()
	var last engine.Instance
	b.until("the instance has exited", func() bool {
		i, ok := b.find(id)
		if !ok {
			b.Fatal("the instance is gone; an exited one is to stay")
		}
		last = i
		return i.State == engine.Exited
	})
	return last
}

func testStart(b *bench) {
	s := b.spec(b.Serve, renga.Web, 1)
	before := time.Now().Add(-time.Second)
	started := b.start(s)
	i, ok := b.find(started.ID)
	if !ok {
		b.Fatalf("the started instance %q is not listed", started.ID)
	}
	for _, got := range []engine.Instance{started, i} {
		b.same(got, s)
		if got.State != engine.Running || got.FinishedAt != (time.Time{}) {
			b.Errorf("state %q, finished %v; want running, zero", got.State, got.FinishedAt)
		}
		if got.CreatedAt.Before(before) || got.StartedAt.Before(got.CreatedAt) {
			b.Errorf("created %v, started %v; want both after %v in this order", got.CreatedAt, got.StartedAt, before)
		}
	}
}

// same checks that an instance tells its spec.
func (b *bench) same(i engine.Instance, s engine.Spec) {
	b.Helper()
	got := fmt.Sprint(i.App, i.Dyno, i.Name, i.Type, i.Size, i.Release, i.Command, i.Crashes, i.Until, i.Attached, i.Alone)
	want := fmt.Sprint(s.App, s.Dyno, s.Name, s.Type, s.Size.Name, s.Release, s.Image.Command, s.Crashes, s.Until, s.Attach != nil, s.Alone())
	if got != want {
		b.Errorf("instance %s\nspec     %s", got, want)
	}
}

func testAddr(b *bench) {
	i := b.start(b.spec(b.Serve, renga.Web, 1))
	b.until("it listens at "+i.Addr, func() bool { return b.Probe(b.Context(), i.Addr) == nil })
	listed, _ := b.find(i.ID)
	if listed.Addr != i.Addr {
		b.Errorf("listed at %q, started at %q", listed.Addr, i.Addr)
	}
	if err := b.Engine.Stop(b.Context(), i.ID, time.Second); err != nil {
		b.Fatal(err)
	}
	if b.Probe(b.Context(), i.Addr) == nil {
		b.Error("it listens after it was stopped")
	}
}

func testNoAddr(b *bench) {
	if i := b.start(b.spec(b.Chatty, "worker", 1)); i.Addr != "" {
		b.Errorf("a worker has address %q", i.Addr)
	}
}

func testApps(b *bench) {
	mine := b.start(b.spec(b.Serve, renga.Web, 1))
	other := b.spec(b.Serve, renga.Web, 1)
	other.App = renga.AppID(uuid.NewString())
	b.Cleanup(func() { b.clear(other.App) })
	theirs := b.start(other)

	if all := b.list(b.app); len(all) != 1 || all[0].ID != mine.ID {
		b.Errorf("list of the app: %v", all)
	}
	ids := map[string]bool{}
	for _, i := range b.list("") {
		ids[i.ID] = true
	}
	if !ids[mine.ID] || !ids[theirs.ID] {
		b.Error("list of every app misses one")
	}
}

func testExit(b *bench) {
	i := b.exited(b.start(b.spec(b.Exit, renga.Web, 1)).ID)
	if i.ExitCode != 3 || i.OOMKilled {
		b.Errorf("exit code %d, out of memory %v; want 3, false", i.ExitCode, i.OOMKilled)
	}
	if i.FinishedAt.Before(i.StartedAt) || i.Crashes != 2 {
		b.Errorf("started %v, finished %v, crashes %d", i.StartedAt, i.FinishedAt, i.Crashes)
	}
}

func testTwins(b *bench) {
	one, two := b.start(b.spec(b.Serve, renga.Web, 1)), b.start(b.spec(b.Serve, renga.Web, 1))
	if one.ID == two.ID || one.Addr == two.Addr || len(b.list(b.app)) != 2 {
		b.Errorf("not two: %v and %v", one, two)
	}
}

func testConcurrent(b *bench) {
	var wg sync.WaitGroup
	for n := range 6 {
		wg.Go(func() {
			if _, err := b.Engine.Start(b.Context(), b.spec(b.Serve, renga.Web, n+1)); err != nil {
				b.Errorf("start %d: %v", n, err)
			}
		})
	}
	wg.Wait()
	if n := len(b.list(b.app)); n != 6 {
		b.Errorf("%d instances; want 6", n)
	}
}

func testStop(b *bench) {
	i := b.start(b.spec(b.Serve, renga.Web, 1))
	b.until("it listens, so that it knows SIGTERM", func() bool { return b.Probe(b.Context(), i.Addr) == nil })
	begin := time.Now()
	if err := b.Engine.Stop(b.Context(), i.ID, 20*time.Second); err != nil {
		b.Fatal(err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		b.Errorf("took %v: SIGTERM did not arrive", took)
	}
	if _, ok := b.find(i.ID); ok {
		b.Error("it is still listed")
	}
}

func testStubborn(b *bench) {
	i := b.start(b.spec(b.Stubborn, renga.Web, 1))
	b.until("it listens, so that it ignores SIGTERM", func() bool { return b.Probe(b.Context(), i.Addr) == nil })
	begin := time.Now()
	if err := b.Engine.Stop(b.Context(), i.ID, time.Second); err != nil {
		b.Fatal(err)
	}
	if took := time.Since(begin); took < 900*time.Millisecond || took > 15*time.Second {
		b.Errorf("took %v; want the grace of 1s and a little", took)
	}
	if _, ok := b.find(i.ID); ok {
		b.Error("it is still listed")
	}
}

func testStopAgain(b *bench) {
	i := b.exited(b.start(b.spec(b.Exit, "worker", 1)).ID)
	for range 2 {
		if err := b.Engine.Stop(b.Context(), i.ID, time.Second); err != nil {
			b.Errorf("stop: %v", err)
		}
	}
	if len(b.list(b.app)) != 0 {
		b.Error("it is still listed")
	}
}

func testKill(b *bench) {
	i := b.start(b.spec(b.Stubborn, "worker", 1))
	if err := b.Engine.Kill(b.Context(), i.ID); err != nil {
		b.Fatal(err)
	}
	if dead := b.exited(i.ID); dead.ExitCode != 137 {
		b.Errorf("exit code %d; want 137, 128 and SIGKILL's 9", dead.ExitCode)
	}
}

func testKillAgain(b *bench) {
	i := b.exited(b.start(b.spec(b.Exit, "worker", 1)).ID)
	if err := b.Engine.Kill(b.Context(), i.ID); err != nil {
		b.Errorf("kill an exited one: %v", err)
	}
	if dead := b.exited(i.ID); dead.ExitCode != 3 {
		b.Errorf("the kill changed the exit code to %d", dead.ExitCode)
	}
	if err := b.Engine.Stop(b.Context(), i.ID, 0); err != nil {
		b.Fatal(err)
	}
	if err := b.Engine.Kill(b.Context(), i.ID); err != nil {
		b.Errorf("kill an absent one: %v", err)
	}
}

func testNoCommand(b *bench) {
	s := b.spec(b.Serve, renga.Web, 1)
	s.Image.Command = []string{"/no/such/program"}
	b.neverStarts(s)
}

func testNoImage(b *bench) { b.neverStarts(b.spec(b.Absent, renga.Web, 1)) }

func (b *bench) neverStarts(s engine.Spec) {
	b.Helper()
	if _, err := b.Engine.Start(b.Context(), s); renga.KindOf(err) != renga.Invalid {
		b.Errorf("error %v is of kind %q; want one that is invalid", err, renga.KindOf(err))
	}
	if left := b.list(b.app); len(left) != 0 {
		b.Errorf("the start that went wrong left %v", left)
	}
}

func testCancelled(b *bench) {
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	if _, err := b.Engine.Start(ctx, b.spec(b.Serve, renga.Web, 1)); err == nil || renga.KindOf(err) == renga.Invalid {
		b.Errorf("error %v; want one that may pass", err)
	}
	if left := b.list(b.app); len(left) != 0 {
		b.Errorf("left %v", left)
	}
}

func testEnded(b *bench) {
	i := b.start(b.spec(b.Serve, renga.Web, 1))
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	if _, err := b.Engine.List(ctx, b.app); err == nil {
		b.Error("list answers as if nothing were the matter")
	}
	if err := b.Engine.Stop(ctx, i.ID, time.Second); err == nil {
		b.Error("stop answers as if nothing were the matter")
	}
}

func testWatch(b *bench) {
	ctx, cancel := context.WithCancel(b.Context())
	told, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- b.Engine.Watch(ctx, func(ev engine.Event) {
			if ev.App != b.app {
				return
			}
			select {
			case told <- struct{}{}:
			default:
			}
		})
	}()
	defer func() { cancel(); _ = <-ended }()

	var first engine.Instance
	b.until("a start was told of", func() bool { // the watch may not have begun yet
		first = b.start(b.spec(b.Serve, renga.Web, 1))
		return toldWithin(told, time.Second)
	})
	for toldWithin(told, 300*time.Millisecond) { // let the starts' events pass
	}
	if err := b.Engine.Kill(b.Context(), first.ID); err != nil {
		b.Fatal(err)
	}
	if !toldWithin(told, 10*time.Second) {
		b.Error("an end does not wake")
	}
}

func testStarving(b *bench) {
	ctx, cancel := context.WithCancel(b.Context())
	told, ended := make(chan engine.Event, 1), make(chan error, 1)
	go func() {
		ended <- b.Engine.Watch(ctx, func(ev engine.Event) {
			if ev.App != b.app || !ev.OutOfMemory {
				return
			}
			select {
			case told <- ev:
			default:
			}
		})
	}()
	defer func() { cancel(); _ = <-ended }()

	var last engine.Instance
	b.until("it was told", func() bool { // the watch may not have begun yet
		last = b.start(b.spec(b.Starving, "worker", 1))
		select {
		case ev := <-told:
			_, known := b.find(ev.Instance.ID)
			if !known || ev.Instance.Name != "worker.1" || ev.Instance.Size != last.Size {
				b.Errorf("told of %+v", ev.Instance)
			}
			return true
		case <-time.After(3 * time.Second):
			return false
		}
	})
	ender, ok := b.Engine.(engine.Ender)
	if !ok {
		return
	}
	if _, err := ender.Terminate(b.Context(), last.ID, 20*time.Second); err != nil {
		b.Fatal(err)
	}
	if i := b.exited(last.ID); i.OOMKilled {
		b.Errorf("its end, with status %d, is taken for a lack of memory", i.ExitCode)
	}
}

func toldWithin(told <-chan struct{}, d time.Duration) bool {
	select {
	case <-told:
		return true
	case <-time.After(d):
		return false
	}
}

func testWatchEnds(b *bench) {
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Engine.Watch(ctx, func(engine.Event) {}) }()
	cancel()
	select {
	case _ = <-ended:
	case <-time.After(10 * time.Second):
		b.Error("watch goes on after its context ended")
	}
}

func testTail(b *bench) {
	tailer, ok := b.Engine.(engine.Tailer)
	if !ok {
		return
	}
	i := b.start(b.spec(b.Chatty, "worker", 1))
	var lines []string
	b.until("all is printed", func() bool {
		var err error
		if lines, err = tailer.Tail(b.Context(), i.ID, 3); err != nil {
			b.Fatal(err)
		}
		return len(lines) > 0 && strings.HasPrefix(lines[len(lines)-1], "GREETING=")
	})
	if len(lines) != 3 || lines[0] != "line 99" || lines[1] != "line 100" {
		b.Errorf("tail: %q", lines)
	}
	if err := b.Engine.Kill(b.Context(), i.ID); err != nil {
		b.Fatal(err)
	}
	b.exited(i.ID)
	after, err := tailer.Tail(b.Context(), i.ID, 3)
	if err != nil || !slices.Equal(after, lines) {
		b.Errorf("tail once exited: %q, %v", after, err)
	}
}

func testEnv(b *bench) {
	tailer, ok := b.Engine.(engine.Tailer)
	if !ok {
		return
	}
	s := b.spec(b.Chatty, "worker", 1)
	s.Env = maps.Clone(s.Env)
	s.Env["GREETING"] = "hello, $USER = \"you\""
	i := b.start(s)
	b.until("the greeting is printed", func() bool {
		lines, err := tailer.Tail(b.Context(), i.ID, 1)
		if err != nil {
			b.Fatal(err)
		}
		return slices.Equal(lines, []string{"GREETING=" + s.Env["GREETING"]})
	})
}

func testPorts(b *bench) {
	lister, ok := b.Engine.(engine.PortLister)
	if !ok {
		return
	}
	i := b.start(b.spec(b.Serve, renga.Web, 1))
	b.until("its port is listed", func() bool {
		ports, err := lister.Ports(b.Context(), i.ID)
		if err != nil {
			b.Fatal(err)
		}
		return slices.ContainsFunc(ports, func(addr string) bool {
			host, p, err := net.SplitHostPort(addr)
			return err == nil && host != "" && p == fmt.Sprint(port)
		})
	})
}

func testMeasure(b *bench) {
	measurer, ok := b.Engine.(engine.Measurer)
	if !ok {
		return
	}
	i := b.start(b.spec(b.Serve, renga.Web, 1))
	before, err := measurer.Measure(b.Context(), i.ID)
	if err != nil || before.RSS <= 0 || before.Memory() < before.RSS || before.CPU <= 0 {
		b.Errorf("it uses %+v, %v", before, err)
	}
	again, err := measurer.Measure(b.Context(), i.ID)
	if err != nil || again.CPU < before.CPU {
		b.Errorf("after %+v it uses %+v, %v", before, again, err)
	}
	if err := b.Engine.Kill(b.Context(), i.ID); err != nil {
		b.Fatal(err)
	}
	for _, id := range []string{i.ID, "0123456789ab"} {
		if used, err := measurer.Measure(b.Context(), id); renga.KindOf(err) != renga.NotFound {
			b.Errorf("%s, which does not run, uses %+v, %v", id, used, err)
		}
	}
}

func testForget(b *bench) {
	forgetter, ok := b.Engine.(engine.Forgetter)
	if !ok {
		return
	}
	for range 2 {
		i := b.start(b.spec(b.Serve, renga.Web, 1))
		if err := b.Engine.Stop(b.Context(), i.ID, time.Second); err != nil {
			b.Fatal(err)
		}
		for range 2 {
			if err := forgetter.Forget(b.Context(), b.app); err != nil {
				b.Errorf("forget: %v", err)
			}
		}
	}
}

// connect is what tells that somebody listens.
func connect(ctx context.Context, addr string) error {
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}
