package redisserver_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/store"
)

const platform = "5b9cbb9f-2bd9-4a3f-9d1c-5c7d57a6c1b0"

// secret is what must not be seen anywhere.
const secret = "pa55-marker"

func open(t *testing.T, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{URL: url, Log: discardLogs()})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newApp(name string) renga.App {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)
	return renga.App{ID: renga.AppID(uuid.NewString()), Name: name, Owner: "owner-1", CreatedAt: at, UpdatedAt: at}
}

func firstRelease(a renga.App) renga.ReleaseRecord {
	return renga.ReleaseRecord{
		App: a.ID, Version: 1, Digest: "sha256:" + strings.Repeat("1", 64), Description: "Initial release", By: a.Owner,
		CreatedAt: a.CreatedAt,
	}
}

func createApp(t *testing.T, s *store.Store, name string) renga.App {
	t.Helper()
	a := newApp(name)
	check(t, s.CreateApp(t.Context(), a, firstRelease(a)))
	return a
}

func discardLogs() *slog.Logger { return slog.New(slog.DiscardHandler) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantKind fails unless err is of that kind and tells the user something.
func wantKind(t *testing.T, err error, kind renga.Kind) {
	t.Helper()
	if renga.KindOf(err) != kind {
		t.Fatalf("got error %q of kind %q, want kind %q", err, renga.KindOf(err), kind)
	}
	if kind != "" && kind != renga.Internal && renga.MessageOf(err, "") == "" {
		t.Fatalf("error %q has no sentence", err)
	}
}
