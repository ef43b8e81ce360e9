package api_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/accounts"
	"renga/api"
	"renga/api/apps"
	"renga/api/dynos"
	"renga/api/releases"
	"renga/api/wire"
	"renga/api/wire/wiretest"
	"renga/config"
	"renga/registry"
	"renga/releaser"
	"renga/store"
	"renga/store/storetest"
)

// platform is the API over real rooms: releaser, ledger, store. It has no dyno
// manager.
type platform struct {
	*httptest.Server
	db     *store.Store
	ledger *registry.Ledger
}

// nobody does nothing for apps and their logs.
type nobody struct{}

func (nobody) Reconcile(renga.AppID)                                      {}
func (nobody) Note(context.Context, renga.AppID, renga.AccountID, string) {}

// newPlatform serves the rooms on a store until the test ends.
func newPlatform(tb testing.TB, db *store.Store) *platform {
	tb.Helper()
	ledger, err := registry.OpenLedger(tb.TempDir(), storetest.Sealer{})
	if err != nil {
		tb.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	rel := releaser.New(releaser.Parts{
		Apps: db, Store: db, Ledger: ledger, Owners: releaser.NewOwners(db, ledger), Runner: nobody{},
		Activity: nobody{}, Log: log, Now: time.Now, NewID: uuid.NewString,
	})
	h := &platform{db: db, ledger: ledger, Server: httptest.NewServer(api.New(api.Options{
		Settings: wire.Settings{Domain: "renga.localhost", Scheme: "http", Log: log}, RateLimit: 1 << 30,
	}, api.Parts{
		Wire: wire.Parts{
			Tokens: accounts.NewTokens(db, time.Now), Accounts: db, Apps: db, Releases: db, Repeats: db,
			Activity: nobody{}, Reconciler: nobody{},
		},
		Apps:     apps.Parts{Creator: rel, Vars: config.New(rel)},
		Releases: releases.Parts{Apps: db, Releases: db, Releaser: rel},
		Dynos:    dynos.Parts{Sizes: wiretest.Sizes, Formations: db, Dynos: db},
	}))}
	tb.Cleanup(h.Close)
	return h
}

// ask sends one request as Ada and gives the status, and the body in into.
func (h *platform) ask(ctx context.Context, method, path, body string, into any) (status int, err error) {
	return h.askRange(ctx, method, path, "", body, into)
}

// askRange is ask for a part of a list.
func (h *platform) askRange(ctx context.Context, method, path, ranged, body string, into any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, h.URL+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Range", ranged)
	res, err := h.Client().Do(wiretest.AsAda(req))
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if into == nil {
		_, err = io.Copy(io.Discard, res.Body)
		return res.StatusCode, err
	}
	return res.StatusCode, json.NewDecoder(res.Body).Decode(into)
}
