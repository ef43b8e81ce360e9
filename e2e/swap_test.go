package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"renga/e2e"
)

const (
	swapDeploys    = 20
	swapRollbacks  = 5
	swapScaleDowns = 5
	swapClients    = 8
)

// TestNoRequestIsLostInSwaps deploys, rolls back and scales down under a steady
// load: every single request must be answered by one of the releases.
func TestNoRequestIsLostInSwaps(t *testing.T) {
	t.Parallel()
	w := kit.Platform(t)
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	deploy(t, w, "swap", "swap-0")
	ctx, stop := context.WithCancel(t.Context())
	l := &load{w: w, app: "swap"}
	var clients sync.WaitGroup
	for range swapClients {
		clients.Go(func() { l.run(ctx) })
	}
	for n := 1; n <= swapDeploys; n++ {
		deploy(t, w, "swap", fmt.Sprintf("swap-%d", n))
	}
	for n := range swapRollbacks {
		rollback(t, w, "swap", n+2, fmt.Sprintf("swap-%d", n))
	}
	for range swapScaleDowns {
		scale(t, w, "swap", 2)
		scale(t, w, "swap", 1)
	}
	stop()
	clients.Wait()
	l.judge(t)
}

// deploy pushes a version and waits until it answers.
func deploy(t *testing.T, w *e2e.Platform, app, version string) {
	t.Helper()
	img, err := w.Image(e2e.Image{Version: version})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.PushImage(t.Context(), app, img); err != nil {
		t.Fatal(err)
	}
	waitFor(t, w, app, version)
}

// rollback goes back to a release and waits until its version answers.
func rollback(t *testing.T, w *e2e.Platform, app string, release int, version string) {
	t.Helper()
	status, body, err := w.API(t.Context(), http.MethodPost, "/apps/"+app+"/releases", map[string]any{"release": fmt.Sprintf("v%d", release)})
	if err != nil || status != http.StatusCreated {
		t.Fatalf("roll back to v%d: %d %s %v", release, status, body, err)
	}
	waitFor(t, w, app, version)
}

// scale changes the number of web dynos and waits until so many are up, and no
// others are left.
func scale(t *testing.T, w *e2e.Platform, app string, quantity int) {
	t.Helper()
	status, body, err := w.API(t.Context(), http.MethodPatch, "/apps/"+app+"/formation/web", map[string]any{"quantity": quantity})
	if err != nil || status != http.StatusOK {
		t.Fatalf("scale to %d: %d %s %v", quantity, status, body, err)
	}
	err = e2e.Poll(t.Context(), func() error {
		_, dynos, err := w.API(t.Context(), http.MethodGet, "/apps/"+app+"/dynos", nil)
		if err != nil {
			return err
		}
		containers, err := w.Containers(t.Context(), app)
		if up := strings.Count(string(dynos), `"state":"up"`); err == nil && (up != quantity || len(containers) != quantity) {
			err = fmt.Errorf("%d dynos are up in %d containers, want %d", up, len(containers), quantity)
		}
		return err
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, w.Log())
	}
}

// waitFor waits until the newest release has succeeded and its version answers.
func waitFor(t *testing.T, w *e2e.Platform, app, version string) {
	t.Helper()
	err := e2e.Poll(t.Context(), func() error {
		answer, err := w.Get(t.Context(), app, "/")
		if err != nil {
			return err
		}
		if got := strings.TrimSpace(string(answer.Body)); got != "hello from "+version {
			return fmt.Errorf("%d %q, want %q", answer.Status, got, version)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, w.Log())
	}
}

// load asks an app all the time and keeps what was not right.
type load struct {
	w   *e2e.Platform
	app string

	mu    sync.Mutex
	asked int
	wrong []string
	seen  map[string]int
}

// pace leaves the machine room for the deploys; it orders nothing.
const pace = 10 * time.Millisecond

func (l *load) run(ctx context.Context) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			l.ask(ctx)
		}
	}
}

// ask lets a request that was begun finish, for its end counts too.
func (l *load) ask(ctx context.Context) {
	answer, err := l.w.Get(context.WithoutCancel(ctx), l.app, "/")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	switch body := strings.TrimSpace(string(answer.Body)); {
	case err != nil:
		l.wrong = append(l.wrong, err.Error())
	case answer.Status != http.StatusOK || !strings.HasPrefix(body, "hello from "):
		l.wrong = append(l.wrong, fmt.Sprintf("%d %s %.80s", answer.Status, answer.Header.Get("X-Renga-Error"), body))
	default:
		if l.seen == nil {
			l.seen = map[string]int{}
		}
		l.seen[body]++
	}
}

func (l *load) judge(t *testing.T) {
	t.Helper()
	t.Logf("%d requests over %d deploys, %d rollbacks and %d scale-downs, %d failed, answered by %d versions",
		l.asked, swapDeploys, swapRollbacks, swapScaleDowns, len(l.wrong), len(l.seen))
	if len(l.wrong) > 0 {
		shown, _ := json.MarshalIndent(l.wrong[:min(len(l.wrong), 10)], "", " ")
		t.Errorf("%d requests failed, such as\n%s\n%s", len(l.wrong), shown, l.w.Log())
	}
	if len(l.seen) < swapDeploys/2 {
		t.Errorf("answers came from %d versions only: there were not the swaps there should have been", len(l.seen))
	}
}
