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
	"strings"
	"time"

	"renga"
	"renga/accounts"
	"renga/api/wire"
	"renga/store"
)

// Fixture is an API over fake rooms, with what it logged. What the fake rooms do not
// stand in for is kept in a real store, which knows Ada's and Bob's accounts and
// apps too.
type Fixture struct {
	http.Handler
	*wire.Door
	FakeRooms *FakeRooms
	DB        *store.Store
	People    *accounts.Accounts
	*FakeWebhooks
	Logged *bytes.Buffer
}

// New serves nothing yet.
func New() *Fixture {
	w, db := NewFakeRooms(), NewStore()
	return &Fixture{
		FakeRooms: w, DB: db, People: accounts.New(db, accounts.Cost{Memory: 64, Passes: 1, Threads: 1}),
		FakeWebhooks: NewFakeWebhooks(w), Logged: &bytes.Buffer{},
	}
}

// Mount has it serve the routes of one family.
func (r *Fixture) Mount(routesOf func(*wire.Door) []wire.Route) *Fixture {
	r.Door = wire.NewDoor(r.NewSettings(), r.NewParts())
	routes := routesOf(r.Door)
	admit := func(http.ResponseWriter, *http.Request) error { return nil }
	r.Handler = wire.WithRequestInfo(wire.LimitBody(r.Unlocked(routes, wire.TagAnswers(r.Locked(routes, admit)))))
	return r
}

// NewSettings are a platform's a day after the fixture was born.
func (r *Fixture) NewSettings() wire.Settings {
	return wire.Settings{
		Domain: "renga.localhost", Scheme: "http", Port: "5000", StreamKey: []byte("stream key"),
		Log: slog.New(slog.NewJSONHandler(r.Logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: func() time.Time { return Born.Add(24*time.Hour + r.FakeRooms.Late) },
	}
}

// NewParts are the fake rooms and the store.
func (r *Fixture) NewParts() wire.Parts {
	return wire.Parts{
		Tokens: tokens{r.FakeRooms, r.DB}, Logins: r.People, Authorizations: r.DB, Accounts: r.DB,
		Apps: r.FakeRooms, Releases: r.FakeRooms, Repeats: r.DB, Activity: r.FakeRooms, Reconciler: r.FakeRooms,
	}
}

// tokens are the store's; "token/scope" is one that is narrowed to a scope.
type tokens struct {
	*FakeRooms
	db *store.Store
}

func (t tokens) Bearer(ctx context.Context, token string) (renga.Bearer, error) {
	token, scope, narrowed := strings.Cut(token, "/")
	b, err := t.db.Bearer(ctx, token)
	if narrowed {
		b.Authorization.Scopes = renga.Scopes{renga.Scope(scope)}
	}
	return b, cmp.Or(t.Broken, err)
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
