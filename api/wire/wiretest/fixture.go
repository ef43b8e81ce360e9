package wiretest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/accounts"
	"renga/api/wire"
	"renga/releaser"
	"renga/store"
)

// Fixture is an API on a real store and a real releaser, with what it logged. Families
// give it fakes of the other rooms behind them.
type Fixture struct {
	http.Handler
	*wire.Door
	*Recorder
	DB       *store.Store
	Ledger   *Ledger
	Releaser *releaser.Releaser
	People   *accounts.Accounts
	Logged   *bytes.Buffer
	// Apps are those that the door asks for.
	Apps wire.Apps
	// Late is how much later it is than usual.
	Late time.Duration
	// Broken is what every look at a token ends in; nil for what the store says.
	Broken error
	// Fakes are printed by Facts: requests can change them.
	Fakes []any
}

// New is a fixture whose seed was changed. It serves nothing yet.
func New(changes ...func(*Seed)) *Fixture {
	changes = slices.DeleteFunc(changes, func(change func(*Seed)) bool { return change == nil })
	if len(changes) == 0 {
		return on(usual().copy())
	}
	s := NewSeed()
	for _, change := range changes {
		change(s)
	}
	return on(fill(s))
}

// NewFull is New with AddAll.
func NewFull() *Fixture { return on(full().copy()) }

func on(f filled) *Fixture {
	r := &Fixture{
		Recorder: &Recorder{}, DB: f.db, Ledger: f.ledger, Apps: f.db, Logged: &bytes.Buffer{},
		People: accounts.New(f.db, accounts.Cost{Memory: 64, Passes: 1, Threads: 1}),
	}
	r.Releaser = releaser.New(releaser.Parts{
		Apps: r.DB, Store: r.DB, Ledger: r.Ledger, Owners: r.Ledger, Runner: r.Recorder, Activity: r.Recorder,
		Log: slog.New(slog.DiscardHandler), Now: r.now, NewID: uuid.NewString,
	})
	return r
}

// now is a day after the fixture was born, and later if the test says so.
func (r *Fixture) now() time.Time { return Born.Add(24*time.Hour + r.Late) }

// Mount has it serve the routes of one family.
func (r *Fixture) Mount(routesOf func(*wire.Door) []wire.Route) *Fixture {
	r.Door = wire.NewDoor(r.NewSettings(), r.NewParts())
	routes := routesOf(r.Door)
	admit := func(http.ResponseWriter, *http.Request) error { return nil }
	r.Handler = wire.WithRequestInfo(wire.LimitBody(r.Unlocked(routes, wire.TagAnswers(r.Locked(routes, admit)))))
	return r
}

// NewSettings are a platform's.
func (r *Fixture) NewSettings() wire.Settings {
	return wire.Settings{
		Domain: "renga.localhost", Scheme: "http", Port: "5000", StreamKey: []byte("stream key"),
		Log: slog.New(slog.NewJSONHandler(r.Logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: r.now,
	}
}

// NewParts are the store, and who is told.
func (r *Fixture) NewParts() wire.Parts {
	return wire.Parts{
		Tokens: accounts.NewTokens(tokens{r}, r.now), Logins: r.People, Authorizations: r.DB, Accounts: r.DB, Apps: r.Apps, Releases: r.DB,
		Repeats: r.DB, Activity: r.Recorder, Reconciler: r.Recorder,
	}
}

// PartnerToken begins the token of an add-on's partner; the add-on's id follows.
const PartnerToken = "partner-token:"

// tokens are the store's; "token/scope" is one that is narrowed to a scope.
type tokens struct{ fixture *Fixture }

func (t tokens) Bearer(ctx context.Context, token string) (renga.Bearer, error) {
	if id, ok := strings.CutPrefix(token, PartnerToken); ok {
		who := renga.AccountID("add-on:" + id)
		return renga.Bearer{
			Account: renga.Account{ID: who, Email: "partner@addons.renga.localhost"},
			Authorization: renga.Authorization{
				ID: string(who), Account: who, AddOn: renga.AddOnID(id), Scopes: renga.Scopes{renga.ScopeWriteProtected},
			},
		}, nil
	}
	token, scope, narrowed := strings.Cut(token, "/")
	b, err := t.fixture.DB.Bearer(ctx, token)
	if narrowed {
		b.Authorization.Scopes = renga.Scopes{renga.Scope(scope)}
	}
	return b, cmp.Or(t.fixture.Broken, err)
}

// Ask sends one request as Ada, unless headers say otherwise. An empty header
// is left out.
func (r *Fixture) Ask(method, url, body string, headers map[string]string) (*http.Response, string) {
	if method == "" {
		method = "GET"
	}
	req := httptest.NewRequest(method, url, strings.NewReader(body))
	AsAda(req)
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

func AsAda(req *http.Request) *http.Request {
	req.Header.Set("Authorization", "Bearer ada-token")
	return req
}

func Header(name, value string) map[string]string { return map[string]string{name: value} }

// Get is a request without credentials.
func (r *Fixture) Get(url string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, url, nil))
	return rec
}

func Basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

var AsBob = Header("Authorization", "Bearer bob-token")

func Bearer(token string) map[string]string { return Header("Authorization", "Bearer "+token) }
