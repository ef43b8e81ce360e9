package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"renga"
	"renga/registry"
)

func TestOutageKeepsThePushAndRecoveryReleasesIt(t *testing.T) {
	for what, fault := range map[string]error{
		"unavailable": renga.Errorf(renga.Unavailable, "Redis is away."),
		"no space":    renga.Errorf(renga.NoSpace, "The disk is full."),
		"internal":    context.DeadlineExceeded,
	} {
		t.Run(what, func(t *testing.T) {
			w := newFixture(t)
			w.failWith(fault)
			img := image(t)
			err := remote.Write(w.ref(t, "hello/web:latest"), img, as("alice-token")...)
			status := http.StatusServiceUnavailable
			if what == "no space" {
				status = http.StatusForbidden // docker shows no text of a 507
			}
			wantRefusal(t, err, status)
			if w.tagOf(t, "hello/web:latest") != digestOf(t, img) || w.reg.Stats().Waiting != 1 {
				t.Fatal("the push was not kept")
			}
			promised := waitingIntents(t, w)[0]

			w.restart(t)
			recoverAll(t, w) // still away
			if w.reg.Stats().Waiting != 1 {
				t.Fatal("the intent went before its release")
			}
			w.failWith(nil)
			recoverAll(t, w)
			p := w.released()
			if len(p) != 1 || p[0].ID != promised.ID || p[0].By != "alice" || p[0].Images[renga.Web].Digest != digestOf(t, img) {
				t.Errorf("recovered %+v, want push %s", p, promised.ID)
			}
			recoverAll(t, w)
			if s := w.reg.Stats(); s.Waiting != 0 || s.Recovered != 1 || len(w.released()) != 1 {
				t.Errorf("stats %+v, %d releases", s, len(w.released()))
			}
		})
	}
}

// TestRunReleasesWhatWaitsSoon, and not only when somebody pushes again.
func TestRunReleasesWhatWaitsSoon(t *testing.T) {
	w := newFixture(t)
	w.failWith(renga.Errorf(renga.Unavailable, "Redis is away."))
	img := image(t)
	wantRefusal(t, remote.Write(w.ref(t, "hello/web:latest"), img, as("alice-token")...), http.StatusServiceUnavailable)
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.reg.Run(ctx) }()
		time.Sleep(35 * time.Second)
		synctest.Wait()
		if len(w.released()) != 0 {
			t.Error("released before the outage is over")
		}
		w.failWith(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if p := w.released(); len(p) != 1 || p[0].Images[renga.Web].Digest != digestOf(t, img) || w.reg.Stats().Waiting != 0 {
		t.Errorf("within ten seconds after the outage: %+v", p)
	}
}

func TestReleaserSentenceReachesThePusherOn503(t *testing.T) {
	w := newFixture(t)
	img := image(t)
	w.push(t, "hello/web:other", img)
	w.failWith(renga.Errorf(renga.Unavailable, "Redis is away."))
	res, body := w.put(t, "hello/web", img)
	if res.StatusCode != 503 || ociCode(t, body) != "UNAVAILABLE" ||
		!strings.Contains(body, "Redis is away. The image is stored and will be released") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if res.Header.Get("Location") != "" || res.Header.Get("Retry-After") == "" {
		t.Errorf("headers %v", res.Header)
	}
}

func TestRefusedReleasePutsTheTagBack(t *testing.T) {
	for _, kind := range []renga.Kind{renga.Invalid, renga.Forbidden, renga.Conflict, renga.NotFound} {
		w := newFixture(t)
		refusal := renga.Errorf(kind, "This app has too many process types.")
		w.failWith(refusal)
		err := remote.Write(w.ref(t, "hello/web:latest"), image(t), as("alice-token")...)
		wantRefusal(t, err, http.StatusForbidden, "DENIED", "too many process types")
		if tag := w.tagOf(t, "hello/web:latest"); tag != "" {
			t.Errorf("%s: a refused first push left the tag %s", kind, tag)
		}
		w.failWith(nil)
		good := image(t)
		w.push(t, "hello/web:latest", good)
		w.failWith(refusal)
		err = remote.Write(w.ref(t, "hello/web:latest"), image(t), as("alice-token")...)
		wantRefusal(t, err, http.StatusForbidden)
		if tag := w.tagOf(t, "hello/web:latest"); tag != digestOf(t, good) {
			t.Errorf("%s: the tag names %q and not the released image", kind, tag)
		}
		if s := w.reg.Stats(); s.Waiting != 0 || s.Refused != 2 || s.Acknowledged != 1 {
			t.Errorf("%s: stats %+v", kind, s)
		}
	}
}

func TestNewerPushOvertakesAKeptOne(t *testing.T) {
	w := newFixture(t)
	w.failWith(renga.Errorf(renga.Unavailable, "Redis is away."))
	first, second := image(t), image(t)
	w.push(t, "hello/web:stored", second)
	wantRefusal(t, remote.Write(w.ref(t, "hello/web:latest"), first, as("alice-token")...), http.StatusServiceUnavailable)
	wantRefusal(t, remote.Write(w.ref(t, "hello/worker:latest"), first, as("alice-token")...),
		http.StatusServiceUnavailable)
	w.failWith(nil)
	if res, body := w.put(t, "hello/web", second); res.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	recoverAll(t, w)
	var got []string
	for _, p := range w.released() {
		for process, img := range p.Images {
			got = append(got, string(process)+" "+img.Digest)
		}
	}
	want := []string{"web " + digestOf(t, second), "worker " + digestOf(t, first)}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || w.reg.Stats().Waiting != 0 {
		t.Errorf("released %v, want %v", got, want)
	}
}

// crashingReleaser is a Releaser that ends its caller, as a crash would.
type crashingReleaser struct{ *fakeDirectory }

func (crashingReleaser) Push(context.Context, renga.Push) error { panic(http.ErrAbortHandler) }

func TestCrashBetweenTagAndReleaseIsRecovered(t *testing.T) {
	w := newFixture(t)
	reg, err := registry.New(w.options, w.fakeDirectory, crashingReleaser{w.fakeDirectory})
	if err != nil {
		t.Fatal(err)
	}
	w.reg = reg
	img := image(t)
	if err := remote.Write(w.ref(t, "hello/web:latest"), img, as("alice-token")...); err == nil {
		t.Fatal("acknowledged without a release")
	}
	promised := waitingIntents(t, w)[0]
	w.restart(t)
	recoverAll(t, w)
	if p := w.released(); len(p) != 1 || p[0].ID != promised.ID {
		t.Errorf("recovered %+v, want %s", p, promised.ID)
	}
}

func TestCrashBeforeTheTagMovedReleasesNothing(t *testing.T) {
	w := newFixture(t)
	old, lost := image(t), image(t)
	w.push(t, "hello/web:latest", old)
	w.push(t, "hello/web:stored", lost)
	writeIntent(t, w, pushIntent{ID: "11111111-1111-1111-1111-111111111111", Repository: "hello/web", Tag: "latest",
		Digest: digestOf(t, lost), Previous: digestOf(t, old), By: "alice", At: time.Now()})
	w.restart(t)
	recoverAll(t, w)
	if len(w.released()) != 1 || w.reg.Stats().Waiting != 0 || w.tagOf(t, "hello/web:latest") != digestOf(t, old) {
		t.Error("an unfinished push was released or left waiting")
	}
}

func TestRecoveryPutsBackWhatIsRefusedThen(t *testing.T) {
	w := newFixture(t)
	old, img := image(t), image(t)
	w.push(t, "hello/web:latest", old)
	w.failWith(renga.Errorf(renga.Unavailable, "Redis is away."))
	wantRefusal(t, remote.Write(w.ref(t, "hello/web:latest"), img, as("alice-token")...), http.StatusServiceUnavailable)
	w.failWith(renga.Errorf(renga.Conflict, "The app is being deleted."))
	recoverAll(t, w)
	if w.tagOf(t, "hello/web:latest") != digestOf(t, old) || w.reg.Stats().Waiting != 0 {
		t.Error("the tag was not put back")
	}
}

func TestDamagedIntentIsReportedAndHindersNoOther(t *testing.T) {
	w := newFixture(t)
	w.failWith(renga.Errorf(renga.Unavailable, "Redis is away."))
	wantRefusal(t, remote.Write(w.ref(t, "hello/web:latest"), image(t), as("alice-token")...),
		http.StatusServiceUnavailable)
	w.failWith(nil)
	if err := os.WriteFile(filepath.Join(w.options.IntentDir, "torn.json"), []byte(`{"id":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.reg.Recover(t.Context()); err == nil || !strings.Contains(err.Error(), "torn.json") {
		t.Errorf("recover: %v", err)
	}
	if len(w.released()) != 1 {
		t.Error("the good intent was not recovered")
	}
}

func TestRemoveAppWaitsForThePushUnderWay(t *testing.T) {
	w := newFixture(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	slow := slowReleaser{entered, leave}
	reg, err := registry.New(w.options, w.fakeDirectory, slow)
	if err != nil {
		t.Fatal(err)
	}
	w.reg = reg
	pushed := make(chan error, 1)
	go func() { pushed <- remote.Write(w.ref(t, "hello/web:latest"), image(t), as("alice-token")...) }()
	<-entered
	removed := make(chan error, 1)
	go func() { removed <- reg.RemoveApp(t.Context(), "hello") }()
	select {
	case err := <-removed:
		close(leave)
		t.Fatalf("removed while a push was being committed: %v", err)
	case <-time.After(50 * time.Millisecond): // the lock shows itself by nothing happening
	}
	close(leave)
	if err := <-pushed; err != nil {
		t.Errorf("the push under way failed: %v", err)
	}
	if err := <-removed; err != nil {
		t.Fatal(err)
	}
	if w.tagOf(t, "hello/web:latest") != "" || reg.Stats().Waiting != 0 {
		t.Error("something of the app is left")
	}
}

func TestRemoveAppTakesAllRepositoriesAndIntentsOfThatAppOnly(t *testing.T) {
	w := newFixture(t)
	w.set(renga.App{ID: "app-hello-two", Name: "hello-two", Owner: "alice"})
	w.push(t, "hello-two/web:latest", image(t))
	w.push(t, "hello/web:v1", image(t))
	w.failWith(renga.Errorf(renga.Unavailable, "Redis is away."))
	wantRefusal(t, remote.Write(w.ref(t, "hello/worker:latest"), image(t), as("alice-token")...),
		http.StatusServiceUnavailable)
	wantRefusal(t, remote.Write(w.ref(t, "hello-two/worker:latest"), image(t), as("alice-token")...),
		http.StatusServiceUnavailable)
	for range 2 { // the second time it is gone already
		if err := w.reg.RemoveApp(t.Context(), "hello"); err != nil {
			t.Fatal(err)
		}
	}
	for ref, there := range map[string]bool{
		"hello/web:v1": false, "hello/worker:latest": false, "hello-two/web:latest": true, "hello-two/worker:latest": true,
	} {
		if (w.tagOf(t, ref) != "") != there {
			t.Errorf("%s: there is %v", ref, !there)
		}
	}
	if n := w.reg.Stats().Waiting; n != 1 {
		t.Errorf("%d intents wait, want the other app's", n)
	}
	if err := w.reg.RemoveApp(t.Context(), "../hello-two"); renga.KindOf(err) != renga.Invalid {
		t.Errorf("a bad name: %v", err)
	}
}

func TestPushToADeletedAppIsRefusedWhenTheLockComesFree(t *testing.T) {
	w := newFixture(t, func(o *registry.Options) { o.CreateOnPush = false })
	img := image(t)
	w.push(t, "hello/web:v1", img)
	w.set(renga.App{ID: "app-hello", Name: "hello", Owner: "alice", Deleting: true})
	err := remote.Write(w.ref(t, "hello/web:latest"), img, as("alice-token")...)
	wantRefusal(t, err, http.StatusForbidden, "DENIED", "The app hello is being deleted.")
}

func TestRepeatedPushLeavesNoOldIntentBehind(t *testing.T) {
	w := newFixture(t)
	img := image(t)
	w.push(t, "hello/web:stored", img)
	w.failWith(renga.Errorf(renga.Unavailable, "Redis is away."))
	w.put(t, "hello/web", img)
	w.failWith(nil)
	if res, body := w.put(t, "hello/web", img); res.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	// Else it would be released again after a rollback.
	if n := w.reg.Stats().Waiting; n != 0 {
		t.Errorf("%d intents are left", n)
	}
}

func TestSecondPushWaitsForTheReleaseOfTheFirst(t *testing.T) {
	w := newFixture(t)
	first, second := image(t), image(t)
	w.push(t, "hello/web:first", first)
	w.push(t, "hello/web:second", second)
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	reg, err := registry.New(w.options, w.fakeDirectory, slowReleaser{entered, leave})
	if err != nil {
		t.Fatal(err)
	}
	w.reg = reg
	var g sync.WaitGroup
	g.Go(func() { w.put(t, "hello/web", first) })
	<-entered
	g.Go(func() { w.put(t, "hello/web", second) })
	select {
	case <-entered:
		t.Error("the second push went on before the first was released")
	case <-time.After(100 * time.Millisecond): // the lock shows itself by nothing happening
	}
	close(leave)
	g.Wait()
	if got := w.tagOf(t, "hello/web:latest"); got != digestOf(t, second) {
		t.Errorf("the tag names %s", got)
	}
}

func TestPushIsFinishedAlthoughItsClientHangsUp(t *testing.T) {
	w := newFixture(t)
	img := image(t)
	w.push(t, "hello/web:stored", img)
	entered, leave := make(chan struct{}), make(chan struct{})
	reg, err := registry.New(w.options, w.fakeDirectory, slowReleaser{entered, leave})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	ctx, hangUp := context.WithCancel(t.Context())
	req := httptest.NewRequestWithContext(ctx, "PUT", "/v2/hello/web/manifests/latest", bytes.NewReader(raw))
	req.SetBasicAuth("_", "alice-token")
	req.Header.Set("Content-Type", "application/vnd.docker.distribution.manifest.v2+json")
	go func() {
		<-entered
		hangUp()
		close(leave)
	}()
	answer := httptest.NewRecorder()
	reg.ServeHTTP(answer, req)
	if s := reg.Stats(); answer.Code != http.StatusCreated || s.Acknowledged != 1 || s.Waiting != 0 {
		t.Errorf("%d, stats %+v", answer.Code, s)
	}
}

type slowReleaser struct{ entered, leave chan struct{} }

func (s slowReleaser) Push(ctx context.Context, _ renga.Push) error {
	s.entered <- struct{}{}
	<-s.leave
	return ctx.Err()
}

// pushIntent is an intent as it lies on disk.
type pushIntent struct {
	ID         string    `json:"id"`
	Repository string    `json:"repository"`
	Tag        string    `json:"tag"`
	Digest     string    `json:"digest"`
	Previous   string    `json:"previous"`
	By         string    `json:"by"`
	At         time.Time `json:"at"`
}

func writeIntent(t testing.TB, w *fixture, it pushIntent) {
	t.Helper()
	raw, err := json.Marshal(it)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.options.IntentDir, it.ID+".json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func waitingIntents(t testing.TB, w *fixture) []pushIntent {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(w.options.IntentDir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no intents: %v", err)
	}
	var all []pushIntent
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var it pushIntent
		if err := json.Unmarshal(raw, &it); err != nil {
			t.Fatal(err)
		}
		all = append(all, it)
	}
	return all
}

func TestRepeatedPushOfTheSameImageIsNotAcknowledgedBeforeItsRelease(t *testing.T) {
	w := newFixture(t)
	w.failWith(renga.Errorf(renga.Unavailable, "Redis is away."))
	img := image(t)
	for range 2 { // the client finds its manifest there the second time
		err := remote.Write(w.ref(t, "hello/web:latest"), img, as("alice-token")...)
		wantRefusal(t, err, http.StatusServiceUnavailable)
	}
	w.failWith(nil)
	w.push(t, "hello/web:latest", img)
	if len(w.released()) != 1 || w.reg.Stats().Waiting != 0 {
		t.Errorf("%d releases", len(w.released()))
	}
}

func recoverAll(t testing.TB, w *fixture) {
	t.Helper()
	if err := w.reg.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
}
