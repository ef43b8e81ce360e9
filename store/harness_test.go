package store_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"renga"
	"renga/children"
	"renga/store"
	"renga/store/storetest"
)

const platform = "5b9cbb9f-2bd9-4a3f-9d1c-5c7d57a6c1b0"

// process is a redis-server of a test's own.
type process struct {
	dir  string
	args []string
	cmd  *exec.Cmd
}

func (p *process) socket() string { return filepath.Join(p.dir, "s") }
func (p *process) url() string    { return "unix://" + p.socket() }

// startRedis runs a redis-server on a unix socket, AOF always, until the test ends.
func startRedis(t testing.TB, args ...string) *process {
	t.Helper()
	p := &process{dir: t.TempDir(), args: args}
	p.start(t)
	t.Cleanup(func() { p.kill(t) })
	return p
}

func (p *process) start(t testing.TB) {
	t.Helper()
	args := append([]string{
		"--port", "0", "--unixsocket", p.socket(), "--dir", p.dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction",
	}, p.args...)
	p.cmd = exec.Command("redis-server", args...)
	var out bytes.Buffer
	p.cmd.Stdout, p.cmd.Stderr = &out, &out
	if err := children.Start(p.cmd, syscall.SIGKILL); err != nil {
		t.Fatalf("start redis-server: %v", err)
	}
	storetest.Poll(t, "redis-server to answer", func() bool {
		reply, _ := storetest.Ping("unix", p.socket()) // it is not there yet
		return reply == "+PONG" || strings.HasPrefix(reply, "-NOAUTH")
	})
}

// kill is SIGKILL; the process is gone afterwards.
func (p *process) kill(testing.TB) {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// raw is a client beside the store, for looking and damaging.
func (p *process) raw(t testing.TB) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: p.socket()})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func discardLogs() *slog.Logger { return slog.New(slog.DiscardHandler) }

func open(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{URL: url, Sealer: storetest.Sealer{}, Log: discardLogs()})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// newStore is an adopted store on a Redis of its own.
func newStore(t testing.TB) (*store.Store, *process) {
	t.Helper()
	p := startRedis(t)
	s := open(t, p.url())
	check(t, s.Adopt(t.Context(), platform, true))
	return s, p
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantKind fails unless err is of that kind and tells the user something.
func wantKind(t testing.TB, err error, kind renga.Kind) {
	t.Helper()
	if renga.KindOf(err) != kind {
		t.Fatalf("got error %q of kind %q, want kind %q", err, renga.KindOf(err), kind)
	}
	if kind != "" && kind != renga.Internal && renga.MessageOf(err, "") == "" {
		t.Fatalf("error %q has no sentence", err)
	}
}

func digestOf(n int) string { return fmt.Sprintf("sha256:%064x", n) }

func newApp(name string) renga.App {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)
	return renga.App{ID: renga.AppID(uuid.NewString()), Name: name, Owner: "owner-1", CreatedAt: at, UpdatedAt: at}
}

func firstRelease(a renga.App) renga.ReleaseRecord {
	return renga.ReleaseRecord{
		App: a.ID, Version: 1, Digest: digestOf(1), Description: "Initial release", By: a.Owner, CreatedAt: a.CreatedAt,
	}
}

// deploy is the record of a release with a web image.
func deploy(id renga.AppID, version int) renga.ReleaseRecord {
	return renga.ReleaseRecord{
		App: id, Version: version, Digest: digestOf(version), Description: fmt.Sprintf("Deploy %d", version), By: "owner-1",
		CreatedAt: time.Date(2026, 1, 2, 3, 4, version, 5, time.UTC),
		Images: map[renga.ProcessType]renga.Image{
			renga.Web: {Repository: "x/web", Digest: digestOf(1000 + version), Command: []string{"/app", "serve"}, Size: 12},
		},
	}
}

func webFill() renga.Formation {
	return renga.Formation{renga.Web: {Quantity: 1, Size: renga.DefaultSize}}
}

func createApp(t testing.TB, s *store.Store, name string) renga.App {
	t.Helper()
	a := newApp(name)
	check(t, s.CreateApp(t.Context(), a, firstRelease(a)))
	return a
}

func commit(t testing.TB, s *store.Store, id renga.AppID, version int) renga.ReleaseRecord {
	t.Helper()
	r := deploy(id, version)
	check(t, s.Commit(t.Context(), r, fmt.Sprintf("push-%d", version), webFill()))
	return r
}

func setStatus(t testing.TB, s *store.Store, id renga.AppID, version int, status renga.ReleaseStatus) {
	t.Helper()
	check(t, s.SetOutcome(t.Context(), id, version, renga.Outcome{Status: status}))
}

// freePort is a TCP port nobody uses at the moment.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	check(t, err)
	return port
}

// calls is every operation of a store, for faults that hit all of them.
func calls(s *store.Store, a renga.App) map[string]func(context.Context) error {
	id := a.ID
	all := map[string]func(context.Context) error{
		"Ping":      s.Ping,
		"CreateApp": func(ctx context.Context) error { b := newApp("another"); return s.CreateApp(ctx, b, firstRelease(b)) },
		"App":       func(ctx context.Context) error { _, err := s.App(ctx, id); return err },
		"AppByName": func(ctx context.Context) error { _, err := s.AppByName(ctx, a.Name); return err },
		"Apps":      func(ctx context.Context) error { _, err := s.Apps(ctx); return err },
		"AppIDs":    func(ctx context.Context) error { _, err := s.AppIDs(ctx); return err },
		"SomeApps":  func(ctx context.Context) error { _, err := s.SomeApps(ctx, []renga.AppID{id}); return err },
		"UpdateApp": func(ctx context.Context) error {
			_, err := s.UpdateApp(ctx, id, func(a *renga.App) error { a.Maintenance = !a.Maintenance; return nil })
			return err
		},
		"RemoveApp":     func(ctx context.Context) error { return s.RemoveApp(ctx, id) },
		"Head":          func(ctx context.Context) error { _, err := s.Head(ctx, id); return err },
		"Commit":        func(ctx context.Context) error { return s.Commit(ctx, deploy(id, 2), "p", webFill()) },
		"Release":       func(ctx context.Context) error { _, err := s.Release(ctx, id, 1); return err },
		"Releases":      func(ctx context.Context) error { _, err := s.Releases(ctx, id, renga.ReleaseQuery{}); return err },
		"ReleaseByPush": func(ctx context.Context) error { _, err := s.ReleaseByPush(ctx, id, "p"); return err },
		"SetOutcome": func(ctx context.Context) error {
			return s.SetOutcome(ctx, id, 1, renga.Outcome{Status: renga.Succeeded})
		},
		"CancelRelease": func(ctx context.Context) error {
			if err := s.CancelRelease(ctx, id, 1, "why"); renga.KindOf(err) != renga.Conflict {
				return err
			}
			return nil
		},
		"EndCanary": func(ctx context.Context) error {
			if err := s.EndCanary(ctx, id, 1); renga.KindOf(err) != renga.Conflict {
				return err
			}
			return nil
		},
		"Formation": func(ctx context.Context) error { _, err := s.Formation(ctx, id); return err },
		"SetFormation": func(ctx context.Context) error {
			_, err := s.SetFormation(ctx, id, func(f renga.Formation) error { f["x"] = renga.Scale{}; return nil })
			return err
		},
		"Dynos":     func(ctx context.Context) error { _, err := s.Dynos(ctx, id); return err },
		"SaveDynos": func(ctx context.Context) error { return s.SaveDynos(ctx, id, nil) },
		"Restart":   func(ctx context.Context) error { return s.Restart(ctx, id, renga.RestartAll) },
		"SetAsleep": func(ctx context.Context) error { return s.SetAsleep(ctx, id, time.Now()) },
		"Drains":    func(ctx context.Context) error { _, err := s.Drains(ctx, id); return err },
		"AddDrain":  func(ctx context.Context) error { return s.AddDrain(ctx, renga.Drain{ID: "d", App: id}) },
		"RemoveDrain": func(ctx context.Context) error {
			if err := s.AddDrain(ctx, renga.Drain{ID: "r", App: id, URL: "r"}); err != nil {
				return err
			}
			return s.RemoveDrain(ctx, id, "r")
		},
		"Desired":   func(ctx context.Context) error { _, err := s.Desired(ctx, id); return err },
		"Domains":   func(ctx context.Context) error { _, err := s.Domains(ctx, id); return err },
		"AddDomain": func(ctx context.Context) error { _, err := s.AddDomain(ctx, domain(a, "new.example.com")); return err },
		"UpdateDomain": func(ctx context.Context) error {
			_, err := s.UpdateDomain(ctx, id, "d", func(*renga.Domain) error { return nil })
			return err
		},
		"RemoveDomain": func(ctx context.Context) error { return s.RemoveDomain(ctx, id, "d") },
	}
	maps.Copy(all, accountCalls(s))
	maps.Copy(all, scheduleCalls(s, id))
	maps.Copy(all, addOnCalls(s, id))
	return all
}

// scheduleCalls are those of the operations that have to do with schedules.
func scheduleCalls(s *store.Store, app renga.AppID) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"DueApps":   func(ctx context.Context) error { _, err := s.DueApps(ctx); return err },
		"Schedules": func(ctx context.Context) error { _, err := s.Schedules(ctx, app); return err },
		"EditSchedules": func(ctx context.Context) error {
			return s.EditSchedules(ctx, app,
				func(all map[string]renga.Schedule) error { all["s"] = renga.Schedule{}; return nil })
		},
		"RemoveSchedule": func(ctx context.Context) error { return s.RemoveSchedule(ctx, app, "s") },
		"NoteRuns": func(ctx context.Context) error {
			return s.NoteRuns(ctx, app, "s", func(*renga.Schedule, int) ([]renga.ScheduledRun, error) { return nil, nil })
		},
		"Runs":           func(ctx context.Context) error { _, err := s.Runs(ctx, app, "s"); return err },
		"UnfinishedRuns": func(ctx context.Context) error { _, err := s.UnfinishedRuns(ctx); return err },
		"UpdateRun":      func(ctx context.Context) error { return s.UpdateRun(ctx, app, "r", func(*renga.ScheduledRun) {}) },
		"RunEnded":       func(ctx context.Context) error { return s.RunEnded(ctx, renga.Dyno{ID: "r", App: app}) },
	}
}

// addOnCalls are those of the operations that have to do with add-ons.
func addOnCalls(s *store.Store, app renga.AppID) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"AddOn":       func(ctx context.Context) error { _, err := s.AddOn(ctx, "a"); return notMissing(err) },
		"AddOnByName": func(ctx context.Context) error { _, err := s.AddOnByName(ctx, "a"); return notMissing(err) },
		"AddOnByAttachment": func(ctx context.Context) error {
			_, err := s.AddOnByAttachment(ctx, "a")
			return notMissing(err)
		},
		"AddOnsOf": func(ctx context.Context) error { _, err := s.AddOnsOf(ctx, app); return err },
		"AddOns":   func(ctx context.Context) error { _, err := s.AddOns(ctx); return err },
		"CreateAddOn": func(ctx context.Context) error {
			return notMissing(s.CreateAddOn(ctx, newAddOn("called-upon", app)))
		},
		"EditAddOns": func(ctx context.Context) error {
			return notMissing(s.EditAddOns(ctx, []renga.AddOnID{"a"}, func(map[renga.AddOnID]*renga.AddOn) error { return nil }))
		},
		"RemoveAddOn": func(ctx context.Context) error { return s.RemoveAddOn(ctx, "a") },
	}
}

// notMissing is the error, unless it says that something is not there.
func notMissing(err error) error {
	if renga.KindOf(err) == renga.NotFound {
		return nil
	}
	return err
}

// accountCalls are those of the operations that have to do with no app.
func accountCalls(s *store.Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"EnsureAccount": func(ctx context.Context) error { return s.EnsureAccount(ctx, renga.Account{ID: "a"}, "token") },
		"Bearer":        func(ctx context.Context) error { _, err := s.Bearer(ctx, "token"); return err },
		"Account":       func(ctx context.Context) error { _, err := s.Account(ctx, "a"); return err },
		"CreateAccount": func(ctx context.Context) error {
			return s.CreateAccount(ctx, renga.Account{ID: "b", Email: "b@example.com"}, "hash",
				renga.Authorization{ID: "g", Account: "b"}, "b-token")
		},
		"AccountByEmail": func(ctx context.Context) error { _, err := s.AccountByEmail(ctx, "a@example.com"); return err },
		"SetPassword":    func(ctx context.Context) error { return s.SetPassword(ctx, "a", "hash") },
		"ChangePassword": func(ctx context.Context) error { return s.ChangePassword(ctx, "a", "hash", "hash", "") },
		"UpdateAccount": func(ctx context.Context) error {
			_, err := s.UpdateAccount(ctx, "a", func(a *renga.Account) error { a.Name += "x"; return nil })
			return err
		},
		"Authorizations": func(ctx context.Context) error { _, err := s.Authorizations(ctx, "a"); return err },
		"SaveAuthorization": func(ctx context.Context) error {
			return s.SaveAuthorization(ctx, renga.Authorization{ID: "g2", Account: "a"}, "another token")
		},
		"UpdateAuthorization": func(ctx context.Context) error {
			_, err := s.UpdateAuthorization(ctx, "a", "g2", func(*renga.Authorization) error { return nil })
			return err
		},
		"ReplaceToken": func(ctx context.Context) error {
			_,
				err := s.ReplaceToken(ctx, "a", "g2", "a third")
			return err
		},
		"DeleteAuthorization": func(ctx context.Context) error { return s.DeleteAuthorization(ctx, "a", "g2") },
		"Attempt": func(ctx context.Context) error {
			_, err := s.Attempt(ctx, "me", func(int) time.Duration { return 0 })
			return err
		},
		"Excuse":       func(ctx context.Context) error { return s.UndoAttempt(ctx, "me") },
		"StartLogin":   func(ctx context.Context) error { return s.StartLogin(ctx, renga.PendingLogin{ID: "l"}, "secret") },
		"PendingLogin": func(ctx context.Context) error { _, err := s.PendingLogin(ctx, "l"); return err },
		"LoginToken":   func(ctx context.Context) error { _, err := s.LoginToken(ctx, "l", "secret"); return err },
		"Keys":         func(ctx context.Context) error { _, err := s.Keys(ctx, "a"); return err },
		"AddKey": func(ctx context.Context) error {
			return s.AddKey(ctx, renga.SSHKey{ID: "k", Account: "a", Fingerprint: "f"})
		},
		"Transfers": func(ctx context.Context) error { _, err := s.Transfers(ctx); return err },
		"AddTransfer": func(ctx context.Context) error {
			_, err := s.AddTransfer(ctx, renga.Transfer{ID: "t", App: "x", State: renga.TransferPending})
			return err
		},
		"UpdateTransfer": func(ctx context.Context) error {
			_, err := s.UpdateTransfer(ctx, "t", func(*renga.Transfer) error { return nil })
			return err
		},
		"DeleteTransfer": func(ctx context.Context) error { return s.DeleteTransfer(ctx, "t") },
		"DeleteKey":      func(ctx context.Context) error { return s.DeleteKey(ctx, "a", "k") },
	}
}

// sameApp tells whether two apps are alike in everything.
func sameApp(a, b renga.App) bool { return reflect.DeepEqual(a, b) }
