package builds_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/builds"
	"renga/output"
	"renga/store"
	"renga/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

const (
	app = renga.AppID("20000000-0000-4000-8000-000000000001")
	ada = renga.AccountID("10000000-0000-4000-8000-000000000001")
)

// fixture is the room over a real store. Images are made as the test says.
type fixture struct {
	*testing.T
	*builds.Builds
	db    *store.Store
	maker *fakeMaker
	dir   string
	parts builds.Parts
	opts  builds.Options
	stop  func()
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db, err := storetest.New()
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	f := &fixture{T: t, db: db, dir: t.TempDir(), maker: &fakeMaker{begun: make(chan builds.Job, 10), end: make(chan string, 10)}}
	now := time.Now().UTC()
	must(t, db.EnsureAccount(t.Context(), renga.Account{ID: ada, Email: "ada@example.com", CreatedAt: now, UpdatedAt: now}, "token"))
	must(t, db.CreateApp(t.Context(), renga.App{ID: app, Name: "shop", Owner: ada, CreatedAt: now, UpdatedAt: now},
		renga.ReleaseRecord{App: app, Version: 1, By: ada, CreatedAt: now, Outcome: renga.Outcome{Status: renga.Succeeded}}))
	f.opts = builds.Options{
		Dir: filepath.Join(f.dir, "sources"), Builder: "acme/builder:1", Parallel: 2, Timeout: time.Minute, MaxSource: 1 << 20,
		CheckSpace: func() error { return nil }, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}
	f.parts = builds.Parts{
		Store: db, Platform: db, Releases: releases{}, Maker: f.maker, Registry: &fakeRegistry{db: db},
		Outputs: output.New(output.Options{Dir: filepath.Join(f.dir, "outputs")}),
	}
	f.start()
	t.Cleanup(func() { f.stop() })
	return f
}

// start starts the room, as a Renga that starts does.
func (f *fixture) start() {
	f.Builds = builds.New(f.opts, f.parts)
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- f.Builds.Run(ctx) }()
	f.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-over; err != nil {
			f.Error(err)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// releases has one that knows a config var.
type releases struct{}

func (releases) Newest(context.Context, renga.AppID) (renga.Release, error) {
	return renga.Release{App: app, Version: 1, Inputs: renga.Inputs{Vars: renga.Vars{"TOKEN": "t0p"}}}, nil
}

// fakeRegistry releases what is pushed, once for each push.
type fakeRegistry struct {
	db     *store.Store
	mu     sync.Mutex
	pushed []renga.BuiltImage
}

func (r *fakeRegistry) PushBuilt(ctx context.Context, b renga.BuiltImage) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pushed = append(r.pushed, b)
	head, err := r.db.Head(ctx, app)
	if err != nil {
		return err
	}
	return r.db.Commit(ctx, renga.ReleaseRecord{App: app, Version: head.Version + 1, By: b.By.ID, Description: b.Description,
		CreatedAt: time.Now().UTC()}, b.Push, nil)
}

func (*fakeRegistry) ImageParts(context.Context, renga.App, string) (manifest, config []byte, err error) {
	return nil, nil, renga.Errorf(renga.NotFound, "none")
}

func (*fakeRegistry) ImageBlob(context.Context, renga.App, string, int64) ([]byte, error) {
	return nil, renga.Errorf(renga.NotFound, "none")
}

// fakeMaker tells of each job, and ends it as it is told: well by "", or with a sentence.
type fakeMaker struct {
	begun   chan builds.Job
	end     chan string
	cleaned int
}

func (m *fakeMaker) Make(ctx context.Context, j builds.Job, output io.Writer) (builds.Image, error) {
	fmt.Fprintf(output, "building %s\n", j.Build.Source.Commit)
	m.begun <- j
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case sentence := <-m.end:
		if sentence != "" {
			return nil, renga.Errorf(renga.Invalid, "%s", sentence)
		}
	}
	return fakeImage{}, nil
}

func (m *fakeMaker) RemoveLeftovers(context.Context) error     { m.cleaned++; return nil }
func (m *fakeMaker) Forget(context.Context, renga.AppID) error { return nil }

type fakeImage struct{}

func (fakeImage) Manifest() (string, []byte)         { return "type", []byte("{}") }
func (fakeImage) Open(string) (io.ReadCloser, error) { return nil, os.ErrNotExist }
func (fakeImage) Close() error                       { return nil }

// source is a tree with one file.
func source(t *testing.T) io.Reader {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	must(t, w.WriteHeader(&tar.Header{Name: "app.js", Typeflag: tar.TypeReg, Size: 2, Mode: 0o644}))
	_, err := io.WriteString(w, "42")
	must(t, err)
	must(t, w.Close())
	return &out
}

func order(commit string) renga.BuildOrder {
	return renga.BuildOrder{App: app, By: ada, Source: renga.BuildSource{Commit: commit, Branch: "main"}}
}

func pushed(commit string) renga.BuildOrder {
	o := order(commit)
	o.Replaces = true
	return o
}

// over waits until a build is over.
func (f *fixture) over(id string) renga.Build {
	f.Helper()
	var last renga.Build
	storetest.Poll(f.T, "the end of build "+id, func() bool {
		last = f.build(id)
		return last.State.Over()
	})
	return last
}

func (f *fixture) build(id string) renga.Build {
	f.Helper()
	all, err := f.db.Builds(f.Context(), app)
	must(f.T, err)
	for _, b := range all {
		if b.ID == id {
			return b
		}
	}
	f.Fatalf("there is no build %s", id)
	return renga.Build{}
}

func (f *fixture) begin(o renga.BuildOrder) renga.Build {
	f.Helper()
	b, err := f.Start(f.Context(), o, source(f.T))
	must(f.T, err)
	return b
}

func (f *fixture) sources() int {
	f.Helper()
	left, err := os.ReadDir(f.opts.Dir)
	must(f.T, err)
	return len(left)
}

func TestBuildBecomesARelease(t *testing.T) {
	f := newFixture(t)
	f.maker.end <- ""
	var said bytes.Buffer
	b, err := f.Build(t.Context(), pushed("0123456789abcdef"), source(t), &said)
	must(t, err)
	// of {}, the manifest that fakeImage has
	if want := "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"; b.Digest != want {
		t.Errorf("its image is %q; want %s", b.Digest, want)
	}
	if b.State != renga.BuildSucceeded || b.Version != 2 || b.Number != 1 || b.Builder != "acme/builder:1" {
		t.Errorf("it became %+v", b)
	}
	if want := "building 0123456789abcdef\n-----> Launching...\n       Released v2\n"; said.String() != want {
		t.Errorf("it said %q; want %q", said.String(), want)
	}
	j := <-f.maker.begun
	if j.Env["TOKEN"] != "t0p" || j.RunEnv["HEROKU_SLUG_COMMIT"] != "0123456789abcdef" ||
		j.Labels["org.opencontainers.image.revision"] != "0123456789abcdef" {
		t.Errorf("the job was %+v", j)
	}
	release, err := f.db.Release(t.Context(), app, 2)
	must(t, err)
	if release.Description != "Deploy 01234567" {
		t.Errorf("the release is described as %q", release.Description)
	}
	if f.sources() != 0 {
		t.Error("its source is still there")
	}
}

func TestFailedBuildSaysWhyAndReleasesNothing(t *testing.T) {
	f := newFixture(t)
	f.maker.end <- "package.json is broken."
	var said bytes.Buffer
	_, err := f.Build(t.Context(), pushed("abc"), source(t), &said)
	if renga.MessageOf(err, "") != "package.json is broken." {
		t.Errorf("it said %v", err)
	}
	if !strings.Contains(said.String(), " !     package.json is broken.") {
		t.Errorf("its output is %q", said.String())
	}
	head, err := f.db.Head(t.Context(), app)
	must(t, err)
	if head.Version != 1 || f.sources() != 0 {
		t.Errorf("the app is at v%d; %d sources are left", head.Version, f.sources())
	}
}

func TestNewerPushReplacesTheOneBefore(t *testing.T) {
	f := newFixture(t)
	first := f.begin(pushed("one"))
	<-f.maker.begun
	api := f.begin(order("by the API")) // nobody waits for it: it stays
	second := f.begin(pushed("two"))
	if b := f.over(first.ID); b.State != renga.BuildFailed || b.Reason != "A newer push took its place." {
		t.Errorf("the older push is %+v", b)
	}
	for _, id := range []string{api.ID, second.ID} { // one after the other
		j := <-f.maker.begun
		if j.Build.ID != id {
			t.Fatalf("build %d was begun", j.Build.Number)
		}
		f.maker.end <- ""
		if b := f.over(id); b.State != renga.BuildSucceeded {
			t.Errorf("it is %+v", b)
		}
	}
	head, err := f.db.Head(t.Context(), app)
	must(t, err)
	if head.Version != 3 || head.Description != "Deploy two" {
		t.Errorf("the newest release is v%d, %q", head.Version, head.Description)
	}
}

func TestCancelledBuildEnds(t *testing.T) {
	f := newFixture(t)
	running, waiting := f.begin(order("one")), f.begin(order("two"))
	<-f.maker.begun
	for _, b := range []renga.Build{waiting, running} {
		_, err := f.Cancel(t.Context(), app, b.ID)
		must(t, err)
		if got := f.over(b.ID); got.State != renga.BuildFailed || got.Reason != "It was cancelled." {
			t.Errorf("it is %+v", got)
		}
		if _, err := f.Cancel(t.Context(), app, b.ID); renga.KindOf(err) != renga.Conflict {
			t.Errorf("the second time it said %v", err)
		}
	}
	storetest.Poll(t, "the sources to go", func() bool { return f.sources() == 0 })
}

func TestNextStartBuildsWhatNobodyWaitsFor(t *testing.T) {
	f := newFixture(t)
	byAPI := f.begin(order("one"))
	<-f.maker.begun
	f.stop()
	if b := f.build(byAPI.ID); b.State != renga.BuildPending {
		t.Fatalf("it is %+v", b)
	}
	f.start()
	if j := <-f.maker.begun; j.Build.ID != byAPI.ID {
		t.Errorf("build %d was begun", j.Build.Number)
	}
	f.maker.end <- ""
	if b := f.over(byAPI.ID); b.State != renga.BuildSucceeded || b.Version != 2 {
		t.Errorf("it became %+v", b)
	}
	if f.maker.cleaned != 2 {
		t.Errorf("leftovers were removed %d times", f.maker.cleaned)
	}
}

func TestPushEndsWithRenga(t *testing.T) {
	f := newFixture(t)
	b := f.begin(pushed("one"))
	<-f.maker.begun
	f.stop()
	if got := f.build(b.ID); got.State != renga.BuildFailed || !strings.HasSuffix(got.Reason, "Push again.") {
		t.Errorf("after an orderly end it is %+v", got)
	}
	killed := f.begin(pushed("two")) // nothing runs: as if Renga was killed right after
	orphan := filepath.Join(f.opts.Dir, uuid.NewString())
	must(t, os.WriteFile(orphan, nil, 0o600))
	f.start()
	if got := f.over(killed.ID); got.State != renga.BuildFailed || !strings.HasSuffix(got.Reason, "Push again.") {
		t.Errorf("after a kill it is %+v", got)
	}
	storetest.Poll(t, "the sources to go", func() bool { return f.sources() == 0 })
}

func TestReleaseMadeBeforeTheKillCounts(t *testing.T) {
	f := newFixture(t)
	f.stop()
	b := f.begin(pushed("one"))
	must(t, f.parts.Registry.PushBuilt(t.Context(), renga.BuiltImage{Push: b.ID, By: renga.Account{ID: ada}}))
	f.start()
	if got := f.over(b.ID); got.State != renga.BuildSucceeded || got.Version != 2 {
		t.Errorf("it is %+v", got)
	}
}

func TestSourceIsCheckedBeforeAnythingIsWritten(t *testing.T) {
	f := newFixture(t)
	f.stop()
	wrong := order("one")
	wrong.Source.Checksum = "SHA256:" + strings.Repeat("0", 64)
	stranger := order("one")
	stranger.By = "10000000-0000-4000-8000-000000000009"
	for name, c := range map[string]struct {
		order  renga.BuildOrder
		source io.Reader
		kind   renga.Kind
		says   string
	}{
		"a wrong checksum": {wrong, source(t), renga.Invalid, "The archive's checksum is SHA256:"},
		"too large":        {order("one"), bytes.NewReader(make([]byte, 2<<20)), renga.Invalid, "The source has more than 1 MB"},
		"no archive":       {order("one"), strings.NewReader(strings.Repeat("x", 600)), renga.Invalid, "cannot be read"},
		"a stranger's":     {stranger, source(t), renga.Forbidden, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.Start(t.Context(), c.order, c.source)
			if renga.KindOf(err) != c.kind || !strings.Contains(renga.MessageOf(err, ""), c.says) {
				t.Errorf("it said %v", err)
			}
		})
	}
	all, err := f.db.Builds(t.Context(), app)
	must(t, err)
	if left, err := os.ReadDir(f.opts.Dir); len(all) != 0 || len(left) != 0 {
		t.Errorf("%d builds, %d sources, %v", len(all), len(left), err)
	}
}

func TestAppHasNotTooManyBuildsAtOnce(t *testing.T) {
	f := newFixture(t)
	f.stop()
	for range renga.MaxOpenBuilds {
		f.begin(order("one"))
	}
	if _, err := f.Start(t.Context(), order("one"), source(t)); renga.KindOf(err) != renga.TooMany {
		t.Errorf("it said %v", err)
	}
	if n := f.sources(); n != renga.MaxOpenBuilds {
		t.Errorf("%d sources are kept", n)
	}
}

// held is a source that does not come.
type held struct{ begun, may chan struct{} }

func (h held) Read([]byte) (int, error) {
	h.begun <- struct{}{}
	<-h.may
	return 0, io.ErrUnexpectedEOF
}

func TestNotTooMuchSourceComesInAtOnce(t *testing.T) {
	f := newFixture(t)
	slow := held{make(chan struct{}), make(chan struct{})}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, err := f.Start(context.Background(), order("slow"), slow); err == nil {
				t.Error("a source that broke off was taken")
			}
		})
		<-slow.begun
	}
	if _, err := f.Start(t.Context(), order("one"), source(t)); renga.KindOf(err) != renga.TooMany {
		t.Errorf("the seventeenth says %v", err)
	}
	close(slow.may)
	all.Wait()
	if n := f.sources(); n != 0 {
		t.Errorf("%d sources are left", n)
	}
}

func TestUploadsThatComeInAtOnceShareTheRoom(t *testing.T) {
	u := &builds.Uploads{
		Dir: t.TempDir(), MaxBytes: 100, MaxAll: 250, CheckSpace: func() error { return nil }, Now: time.Now,
	}
	slow := held{make(chan struct{}), make(chan struct{})}
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if err := u.Put(uuid.NewString(), slow); renga.KindOf(err) != renga.Invalid {
				t.Errorf("one that broke off says %v", err)
			}
		})
		<-slow.begun
	}
	if err := u.Put(uuid.NewString(), strings.NewReader("x")); renga.KindOf(err) != renga.TooMany {
		t.Errorf("the fourth says %v", err)
	}
	close(slow.may)
	all.Wait()
	if err := u.Put(uuid.NewString(), strings.NewReader("x")); err != nil {
		t.Errorf("after they have gone: %v", err)
	}
}
