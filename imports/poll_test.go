package imports_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/imports"
	"renga/store/storetest"
)

// answers are what a registry says, one after the other; the last one stays.
type answers struct {
	mu    sync.Mutex
	next  []answer
	asked []renga.TagAnswer // what it was told of the last time
}

type answer struct {
	renga.TagAnswer
	err error
}

func (a *answers) Poll(_ context.Context, ref renga.ImageRef, login renga.SourceLogin,
	last renga.TagAnswer) (renga.TagAnswer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ref.String() != "ghcr.io/acme/shop:latest" || login.Username != "acme" {
		return renga.TagAnswer{}, renga.Errorf(renga.Invalid, "asked for %s as %q", ref, login.Username)
	}
	a.asked = append(a.asked, last)
	now := a.next[0]
	if len(a.next) > 1 {
		a.next = a.next[1:]
	}
	return now.TagAnswer, now.err
}

// polls is a fixture with a rule that asks whenever the clock is moved.
type polls struct {
	*fixture
	answers *answers
	rule    renga.ImportRule

	mu  sync.Mutex
	now time.Time
}

func newPolls(t *testing.T, next ...answer) *polls {
	t.Helper()
	p := &polls{fixture: newFixture(t), answers: &answers{next: next}, now: time.Now()}
	p.rule = ruleOf(renga.Polled, "ghcr.io/acme/shop", "latest")
	p.rule.App, p.rule.Secret, p.rule.Polling.Every = p.app.ID, "", renga.DefaultPollEvery
	login := renga.SourceLogin{Host: "ghcr.io", Username: "acme", Password: "s3cret-of-acme"}
	if err := p.SetSourceLogin(t.Context(), p.app.ID, login); err != nil {
		t.Fatal(err)
	}
	if err := p.AddImportRule(t.Context(), p.rule); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *polls) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *polls) wait(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

// starts a poller until the returned function is called. Nothing is copied.
func (p *polls) starts(asks imports.Prober) (stop func()) {
	p.Helper()
	room := imports.New(imports.Options{
		Own: func(string) bool { return false }, ScanEvery: time.Millisecond, Log: slog.New(slog.DiscardHandler), Now: p.clock,
	}, p, p, p, p, nil)
	poller := imports.NewPoller(room, p, asks)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- poller.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			p.Error(err)
		}
	}
}

// until waits for the rule to be as is wanted.
func (p *polls) until(what string, wanted func(renga.Polling) bool) renga.Polling {
	p.Helper()
	var last renga.Polling
	storetest.Poll(p, what, func() bool {
		rules, err := p.ImportRules(p.Context(), p.app.ID)
		if err != nil || len(rules) != 1 {
			p.Fatal(rules, err)
		}
		last = rules[0].Polling
		return wanted(last)
	})
	return last
}

func (p *polls) ordered() []string {
	p.Helper()
	all, err := p.Imports(p.Context(), p.app.ID)
	if err != nil {
		p.Fatal(err)
	}
	var digests []string
	for _, i := range all {
		if i.Image != "ghcr.io/acme/shop:latest" || i.Rule != p.rule.ID || i.By != "ada" {
			p.Errorf("the import is %+v", i)
		}
		digests = append(digests, i.Digest)
	}
	return digests
}

func says(digest, etag string) answer {
	return answer{TagAnswer: renga.TagAnswer{Digest: digest, ETag: etag}}
}

// Each change of the tag is ordered once, back to an older image too, whatever restarts
// lie in between.
func TestPolling(t *testing.T) {
	p := newPolls(t, says(first, `"a"`), says(first, `"a"`), says(second, `"b"`), says(first, `"a"`), says(second, `"b"`))
	want := []string{first, first, second, first, second}
	var all []string
	for n, digest := range want {
		stop := p.starts(p.answers)
		now := p.clock()
		got := p.until("the next answer", func(is renga.Polling) bool { return is.At.Equal(now) && is.Digest == digest })
		stop()
		if n == 0 || digest != want[n-1] {
			all = append(all, digest)
		}
		if got.Failures != 0 || got.Reason != "" || got.Changes != len(all) {
			t.Errorf("after answer %d: %+v", n, got)
		}
		if in := got.Next.Sub(got.At); in < renga.DefaultPollEvery*9/10 || in > renga.DefaultPollEvery*11/10 {
			t.Errorf("it asks again after %s", in)
		}
		if ordered := p.ordered(); len(ordered) != len(all) {
			t.Fatalf("after answer %d: %v are ordered, want %v", n, ordered, all)
		}
		p.wait(2 * renga.DefaultPollEvery)
	}
	for n, last := range p.answers.asked[1:] {
		if last.Digest != want[n] || last.ETag == "" {
			t.Errorf("question %d says %+v", n+1, last)
		}
	}
}

// One that was ordered just before we were killed is not ordered again.
func TestPollingIsOrderedOnce(t *testing.T) {
	p := newPolls(t, says(first, ""))
	stop := p.starts(p.answers)
	p.until("the answer", func(is renga.Polling) bool { return is.Digest == first })
	stop()
	if err := p.SetPolling(t.Context(), p.app.ID, p.rule.ID, renga.Polling{Every: time.Minute}); err != nil {
		t.Fatal(err)
	}
	stop = p.starts(p.answers)
	p.until("the answer", func(is renga.Polling) bool { return is.Digest == first })
	stop()
	if all := p.ordered(); len(all) != 1 {
		t.Errorf("%v are ordered", all)
	}
}

// A registry that does not answer is asked more and more seldom, and not before it
// wants; the rule says why. What it names then is released.
func TestPollingWithoutAnswers(t *testing.T) {
	busy := answer{renga.TagAnswer{Wait: 3 * time.Hour}, renga.Errorf(renga.TooMany, "ghcr.io was asked too often.")}
	away := answer{err: renga.Errorf(renga.Unavailable, "ghcr.io could not be reached.")}
	p := newPolls(t, away, away, busy, says(first, ""))
	for n, want := range []struct {
		reason    string
		low, high time.Duration
	}{
		{"ghcr.io could not be reached.", 9 * time.Minute, 11 * time.Minute},
		{"ghcr.io could not be reached.", 18 * time.Minute, 22 * time.Minute},
		{"ghcr.io was asked too often.", 3 * time.Hour, 3 * time.Hour},
	} {
		stop := p.starts(p.answers)
		got := p.until("a failure", func(is renga.Polling) bool { return is.Failures == n+1 })
		stop()
		if in := got.Next.Sub(got.At); got.Reason != want.reason || in < want.low || in > want.high || got.Digest != "" {
			t.Errorf("failure %d: %s later, %+v", n+1, in, got)
		}
		p.wait(got.Next.Sub(got.At))
	}
	stop := p.starts(p.answers)
	p.until("an answer", func(is renga.Polling) bool { return is.Digest == first && is.Failures == 0 && is.Reason == "" })
	stop()
	if all := p.ordered(); len(all) != 1 || all[0] != first {
		t.Errorf("%v are ordered", all)
	}
}

// slowRegistry answers nothing until it may, and notes who asks meanwhile. Its
// repositories are <app>/<rule>.
type slowRegistry struct {
	may   chan struct{}
	asked chan string

	mu    sync.Mutex
	atNow map[string]int // by app
	worst int            // of one app at once
	all   int            // at once
	most  int
}

func (r *slowRegistry) Poll(_ context.Context, ref renga.ImageRef, _ renga.SourceLogin, _ renga.TagAnswer) (renga.TagAnswer, error) {
	app, _, _ := strings.Cut(ref.Repository, "/")
	r.count(app, 1)
	r.asked <- ref.Repository
	<-r.may
	r.count(app, -1)
	return renga.TagAnswer{Digest: first}, nil
}

func (r *slowRegistry) count(app string, more int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.atNow[app] += more
	r.all += more
	r.worst, r.most = max(r.worst, r.atNow[app]), max(r.most, r.all)
}

func (r *slowRegistry) seen() (worst, most int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.worst, r.most
}

// An app's slow registry holds up none of another app, however many rules it has: each
// app asks one at a time, and 16 apps at once.
func TestPollingAsksOneRegistryOfEachAppAtATime(t *testing.T) {
	const apps, atOnce = 20, 16
	f, now := newFixture(t), time.Now()
	for n := range apps {
		app := renga.App{ID: renga.AppID(uuid.NewString()), Name: fmt.Sprintf("app-%d", n), Owner: "ada"}
		if err := f.CreateApp(t.Context(), app, renga.ReleaseRecord{App: app.ID, Version: 1, Digest: "sha256:1"}); err != nil {
			t.Fatal(err)
		}
		for name, due := range map[string]time.Duration{"short": time.Minute, "longer": 2 * time.Minute, "longest": 3 * time.Minute} {
			rule := ruleOf(renga.Polled, "ghcr.io/"+app.Name+"/"+name, "latest")
			rule.ID, rule.App, rule.Secret = uuid.NewString(), app.ID, ""
			rule.Polling = renga.Polling{Every: time.Hour, Next: now.Add(-due)}
			if err := f.AddImportRule(t.Context(), rule); err != nil {
				t.Fatal(err)
			}
		}
	}
	slow := &slowRegistry{may: make(chan struct{}), asked: make(chan string, 3*apps), atNow: map[string]int{}}
	p := &polls{fixture: f, now: now}
	defer p.starts(slow)()
	order := map[string][]string{}
	for n := range 3 * apps {
		if n == atOnce { // all places are taken
			close(slow.may)
		}
		app, rule, _ := strings.Cut(<-slow.asked, "/")
		order[app] = append(order[app], rule)
		if n < atOnce && len(order[app]) > 1 {
			t.Errorf("%s is asked for twice before another app is: %v", app, order)
		}
	}
	for app, rules := range order {
		if !slices.Equal(rules, []string{"longest", "longer", "short"}) {
			t.Errorf("%s asked for %v", app, rules)
		}
	}
	if worst, most := slow.seen(); len(order) != apps || worst != 1 || most != atOnce {
		t.Errorf("%d apps asked, one of them %d registries at once, all of them %d", len(order), worst, most)
	}
}

// An app that is gone is not looked at again.
func TestPollingEndsWithItsApp(t *testing.T) {
	p := newPolls(t, says(first, ""))
	if err := p.RemoveApp(t.Context(), p.app.ID); err != nil {
		t.Fatal(err)
	}
	defer p.starts(p.answers)()
	storetest.Poll(t, "the app to be forgotten", func() bool {
		apps, err := p.AppsThatPoll(t.Context())
		return err == nil && len(apps) == 0
	})
}
