package api_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/accounts"
	"renga/api"
	"renga/api/wire"
	"renga/scheduler"
	"renga/store"
	"renga/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// marker is a config var's value that may be seen in the answers about config
// vars and nowhere else.
const marker = "marker-5e3c4a1d"

var sizes = map[string]renga.Size{
	"eco":           {Name: "eco", MemoryBytes: 512 << 20, CPUs: 0.5},
	"standard-1x":   {Name: "standard-1x", MemoryBytes: 512 << 20, CPUs: 1},
	"standard-2x":   {Name: "standard-2x", MemoryBytes: 1 << 30, CPUs: 1},
	"performance-m": {Name: "performance-m", MemoryBytes: 2560 << 20, CPUs: 2},
}

// rig is an API over a world, with what it logged. What the world does not
// stand in for is kept in a real store, which knows Ada's and Bob's accounts and
// apps too.
type rig struct {
	*api.Server
	world  *world
	db     *store.Store
	people *accounts.Accounts
	*mailbox
	log *bytes.Buffer
}

func newRig(checks map[string]func(context.Context) error) *rig {
	return newRigWith(func(o *api.Options) { o.Checks = checks })
}

// newRigWith is a rig with other options.
func newRigWith(change func(*api.Options)) *rig {
	w, db, log := newWorld(), newStore(), &bytes.Buffer{}
	people := accounts.New(db, accounts.Cost{Memory: 64, Passes: 1, Threads: 1})
	box := newMailbox(w)
	options := api.Options{
		Settings: wire.Settings{
			Domain: "renga.localhost", Scheme: "http", Port: "5000", StreamKey: []byte("stream key"),
			Log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			Now: func() time.Time { return born.Add(24*time.Hour + w.late) },
		},
		Sizes: sizes, Reachable: reachable, RendezvousPort: "5443", Version: "1.2.3",
		RateLimit: 1 << 30, // more than fuzzing asks for
	}
	change(&options)
	room := scheduler.New(scheduler.Options{Log: options.Log, Now: options.Now}, db, db, nil, nil) // it does not run
	server := api.New(options, api.Parts{
		Wire: wire.Parts{
			Tokens: tokens{w, db}, Logins: people, Authorizations: db, Accounts: db, Apps: w, Releases: w, Repeats: db, Lines: w, Waker: w,
		},
		Accounts: db, Logins: people, Browsers: people, Authorizations: db, Keys: db, Transfers: db, Owners: w, Apps: w, Creator: w, Deleter: w, Renamer: w, Releases: w, Outputs: w, Releaser: w, Rollouts: w,
		Vars: w, Formations: w, Images: w, Deployer: w, Dynos: w, OneOffs: w, Logs: &w.journal, Attach: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "attached at "+r.URL.Path) }),
		Pipelines: db, PipelineVars: db, Promotions: promotions{w, db}, Drains: db, Drainer: w, Minutes: w, Visits: w, Sleeps: w,
		Domains: db, Endpoints: db, Orders: w, Webhooks: box, Schedules: db, Scheduler: room,
	})
	return &rig{Server: server, world: w, db: db, people: people, mailbox: box, log: log}
}

// tokens are the store's; "token/scope" is one that is narrowed to a scope.
type tokens struct {
	*world
	db *store.Store
}

func (t tokens) Bearer(ctx context.Context, token string) (renga.Bearer, error) {
	token, scope, narrowed := strings.Cut(token, "/")
	b, err := t.db.Bearer(ctx, token)
	if narrowed {
		b.Authorization.Scopes = renga.Scopes{renga.Scope(scope)}
	}
	return b, cmp.Or(t.broken, err)
}

// newStore is a store with the accounts and apps that every world has.
func newStore() *store.Store {
	db, err := storetest.New()
	for token, a := range map[string]renga.Account{"ada-token": ada, "bob-token": bob, "carol-token": carol} {
		if err == nil {
			err = db.EnsureAccount(context.Background(), a, token)
		}
	}
	if err == nil {
		err = db.AddKey(context.Background(), adasKey)
	}
	for _, t := range offers {
		if err == nil {
			_, err = db.AddTransfer(context.Background(), t)
		}
	}
	for _, a := range newWorld().apps {
		if err == nil {
			err = db.CreateApp(context.Background(), a, renga.ReleaseRecord{
				App: a.ID, Version: 1, Description: "Initial release", By: a.Owner, CreatedAt: a.CreatedAt,
			})
		}
	}
	if err == nil {
		err = db.AddDrain(context.Background(), renga.Drain{
			ID: "50000000-0000-4000-8000-000000000001", App: hello, URL: "https://user:" + marker + "@logs.example.com/a?b=c", Token: "d.1", CreatedAt: born, UpdatedAt: born,
		})
	}
	if err == nil {
		err = furnish(db)
	}
	if err != nil {
		panic(err) // without a store no test here can say anything
	}
	return db
}

// scenario is one request to a fresh world and what must come of it.
type scenario struct {
	name    string
	prepare func(*world)
	method  string // GET when empty
	url     string
	headers map[string]string
	body    string
	status  int // 200 when 0
	has     []string
	hasNot  []string
	after   func(*testing.T, *rig, *http.Response)
}

func run(t *testing.T, scenarios []scenario) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			rig := newRig(nil)
			if sc.prepare != nil {
				sc.prepare(rig.world)
			}
			sc.play(t, rig)
		})
	}
}

func (sc scenario) play(t *testing.T, rig *rig) {
	t.Helper()
	before := rig.facts(t)
	res, body := rig.ask(sc.method, sc.url, sc.body, sc.headers)
	if want := cmp.Or(sc.status, 200); res.StatusCode != want {
		t.Errorf("status is %d, want %d: %s", res.StatusCode, want, body)
	}
	for _, s := range sc.has {
		if !strings.Contains(body, s) {
			t.Errorf("answer lacks %s: %s", s, body)
		}
	}
	for _, s := range sc.hasNot {
		if strings.Contains(body, s) {
			t.Errorf("answer holds %s: %s", s, body)
		}
	}
	switch reads := sc.method == "" || sc.method == "GET" || sc.method == "HEAD"; {
	case reads || res.StatusCode >= 400:
		sc.changedNothing(t, before, rig.facts(t))
	case sc.has == nil && sc.hasNot == nil && sc.after == nil:
		t.Error("nothing looks at what this changed")
	}
	if sc.after != nil {
		sc.after(t, rig, res)
	}
}

// changedNothing holds for every request that reads or was refused.
func (sc scenario) changedNothing(t *testing.T, before, after map[string]string) {
	t.Helper()
	for name := range merged(before, after) {
		if before[name] != after[name] {
			t.Errorf("%s reads or was refused, and changed %s from %.300q to %.300q", sc.url, name, before[name], after[name])
		}
	}
}

func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// facts are all that a request can change, but for what counts and remembers
// requests themselves.
func (r *rig) facts(t *testing.T) map[string]string {
	t.Helper()
	facts, err := storetest.Contents(t.Context(), r.db)
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(facts, func(key, _ string) bool {
		return strings.Contains(key, ":attempts:") || strings.Contains(key, ":answer:")
	})
	w := r.world
	for name, fact := range map[string]any{
		"apps": w.apps, "releases": w.releases, "outcomes": w.outcomes, "canaries": w.canaries, "formation": w.formation, "dynos": w.dynos,
		"restarts": w.restarts, "owners": w.owners, "asleep": w.asleep, "ordered": w.ordered, "one-offs": w.ran, "woken": w.woken, "logs": w.did,
	} {
		facts[name] = fmt.Sprintf("%+v", fact)
	}
	return facts
}

// ask sends one request as Ada, unless headers say otherwise. An empty header
// is left out.
func (r *rig) ask(method, url, body string, headers map[string]string) (*http.Response, string) {
	if method == "" {
		method = "GET"
	}
	req := httptest.NewRequest(method, url, strings.NewReader(body))
	asAda(req)
	for name, value := range headers {
		if req.Header.Set(name, value); value == "" {
			req.Header.Del(name)
		}
	}
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, req)
	res := rec.Result()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		panic(err) // a recorder's body always reads
	}
	return res, string(answer)
}

func asAda(req *http.Request) *http.Request {
	req.Header.Set("Authorization", "Bearer ada-token")
	return req
}

func header(name, value string) map[string]string { return map[string]string{name: value} }
