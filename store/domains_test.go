package store_test

import (
	"fmt"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"renga"
	"renga/store"
)

func domain(a renga.App, host string) renga.Domain {
	return renga.Domain{ID: uuid.NewString(), App: a.ID, Hostname: host, CreatedAt: a.CreatedAt, UpdatedAt: a.CreatedAt}
}

func addDomain(t testing.TB, s *store.Store, a renga.App, host string) renga.Domain {
	t.Helper()
	d, err := s.AddDomain(t.Context(), domain(a, host))
	check(t, err)
	return d
}

// hostsOf is what the app answers to, as the dyno manager sees it.
func hostsOf(t testing.TB, s *store.Store, a renga.App) []string {
	t.Helper()
	d, err := s.Desired(t.Context(), a.ID)
	check(t, err)
	return d.Hosts
}

func wantHosts(t testing.TB, s *store.Store, a renga.App, want ...string) {
	t.Helper()
	if got := hostsOf(t, s, a); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("app %s answers to %v, want %v", a.Name, got, want)
	}
}

func TestADomainIsAddedUpdatedAndRemoved(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	d := addDomain(t, s, a, "www.example.com")
	addDomain(t, s, a, "*.example.com")
	wantHosts(t, s, a, "*.example.com", "www.example.com")

	changed, err := s.UpdateDomain(t.Context(), a.ID, d.ID, func(d *renga.Domain) error {
		d.Endpoint, d.ACM = "e", renga.ACMStatus{State: "failing", Reason: "no such name"}
		return nil
	})
	check(t, err)
	if !changed.UpdatedAt.After(d.UpdatedAt) {
		t.Errorf("updated at %v", changed.UpdatedAt)
	}
	all, err := s.Domains(t.Context(), a.ID)
	check(t, err)
	if len(all) != 2 || !reflect.DeepEqual(all[1], changed) || all[1].Endpoint != "e" {
		t.Fatalf("domains are %+v, want %+v last", all, changed)
	}

	check(t, s.RemoveDomain(t.Context(), a.ID, d.ID))
	wantKind(t, s.RemoveDomain(t.Context(), a.ID, d.ID), renga.NotFound)
	wantHosts(t, s, a, "*.example.com")
	addDomain(t, s, createApp(t, s, "tanka"), "www.example.com")
}

func TestADomainIsClaimedOnce(t *testing.T) {
	s, _ := newStore(t)
	a, b := createApp(t, s, "haiku"), createApp(t, s, "tanka")
	addDomain(t, s, a, "www.example.com")
	for _, app := range []renga.App{a, b} {
		_, err := s.AddDomain(t.Context(), domain(app, "www.example.com"))
		wantKind(t, err, renga.Conflict)
	}
	wantHosts(t, s, b)
	check(t, s.RemoveApp(t.Context(), a.ID))
	addDomain(t, s, b, "www.example.com")
}

func TestWildcardsOverlapOnlyWithNamesOfTheSameOwner(t *testing.T) {
	for _, test := range []struct {
		has, wants string
		overlap    bool
	}{
		{"*.example.com", "www.example.com", true},
		{"*.example.com", "a.b.example.com", true},
		{"*.example.com", "*.b.example.com", true},
		{"www.example.com", "*.example.com", true},
		{"a.b.example.com", "*.example.com", true},
		{"*.b.example.com", "*.example.com", true},
		{"*.example.com", "example.com", false},
		{"example.com", "*.example.com", false},
		{"www.an-example.com", "*.example.com", false},
		{"www.example.com", "example.com", false},
	} {
		t.Run(test.has+" "+test.wants, func(t *testing.T) {
			s, _ := newStore(t)
			addDomain(t, s, createApp(t, s, "haiku"), test.has)
			stranger := newApp("tanka")
			stranger.Owner = "owner-2"
			check(t, s.CreateApp(t.Context(), stranger, firstRelease(stranger)))
			_, err := s.AddDomain(t.Context(), domain(stranger, test.wants))
			if want := map[bool]renga.Kind{true: renga.Conflict}[test.overlap]; renga.KindOf(err) != want {
				t.Errorf("another owner gets %v, want kind %q", err, want)
			}
			if test.overlap {
				addDomain(t, s, createApp(t, s, "renku"), test.wants)
			}
		})
	}
}

func TestOfManyWhoClaimOneNameOneWins(t *testing.T) {
	s, _ := newStore(t)
	var apps []renga.App
	for i := range 8 {
		apps = append(apps, createApp(t, s, fmt.Sprintf("app-%d", i)))
	}
	for round := range 5 {
		host := fmt.Sprintf("www-%d.example.com", round)
		var won, lost atomic.Int32
		var wg sync.WaitGroup
		for _, a := range apps {
			wg.Go(func() {
				switch _, err := s.AddDomain(t.Context(), domain(a, host)); renga.KindOf(err) {
				case "":
					won.Add(1)
				case renga.Conflict:
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || lost.Load() != 7 {
			t.Fatalf("%d won, %d lost", won.Load(), lost.Load())
		}
	}
	var hosts []string
	for _, a := range apps {
		hosts = append(hosts, hostsOf(t, s, a)...)
	}
	if len(hosts) != 5 {
		t.Errorf("they answer to %v", hosts)
	}
}

func TestOneNameAddedTwiceAtOnceIsOneDomain(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	for round := range 10 {
		host := fmt.Sprintf("www-%d.example.com", round)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, err := s.AddDomain(t.Context(), domain(a, host)); err != nil && renga.KindOf(err) != renga.Conflict {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if got := hostsOf(t, s, a); len(got) != 10 {
		t.Errorf("the app answers to %v", got)
	}
}

// TestAddingCutShortLeavesTheNameToOneApp kills the connection at each step, once
// before Redis has done it and once after.
func TestAddingCutShortLeavesTheNameToOneApp(t *testing.T) {
	const steps = 3
	for step := range int32(steps) {
		for _, done := range []bool{false, true} {
			t.Run(fmt.Sprintf("step %d, done %t", step+1, done), func(t *testing.T) {
				direct, p := newStore(t)
				a, b := createApp(t, direct, "haiku"), createApp(t, direct, "tanka")
				m := newFaultyProxy(t, p)
				s := open(t, "redis://"+m.Addr().String())
				m.breakOne(step, cut(done))
				if _, err := s.AddDomain(t.Context(), domain(a, "www.example.com")); err == nil {
					t.Fatal("added, though the connection was cut")
				}
				claimed := step > 1 || step == 1 && done
				_, err := direct.AddDomain(t.Context(), domain(b, "www.example.com"))
				wantKind(t, err, map[bool]renga.Kind{true: renga.Conflict}[claimed])

				all, err := direct.Domains(t.Context(), a.ID)
				check(t, err)
				if claimed != (len(all) == 1) {
					t.Fatalf("claimed %t, and the app has %v", claimed, all)
				}
				if claimed {
					wantHosts(t, direct, a, "www.example.com")
					wantHosts(t, direct, b)
					return
				}
				wantHosts(t, direct, a)
				wantHosts(t, direct, b, "www.example.com")
				_, err = direct.AddDomain(t.Context(), domain(a, "www.example.com"))
				wantKind(t, err, renga.Conflict)
			})
		}
	}
}

func TestRemovingCutShortIsFinished(t *testing.T) {
	const steps = 3
	for step := range int32(steps) {
		for _, done := range []bool{false, true} {
			t.Run(fmt.Sprintf("step %d, done %t", step+1, done), func(t *testing.T) {
				direct, p := newStore(t)
				a, b := createApp(t, direct, "haiku"), createApp(t, direct, "tanka")
				d := addDomain(t, direct, a, "www.example.com")
				m := newFaultyProxy(t, p)
				s := open(t, "redis://"+m.Addr().String())
				m.breakOne(step, cut(done))
				if err := s.RemoveDomain(t.Context(), a.ID, d.ID); err == nil {
					t.Fatal("removed, though the connection was cut")
				}
				begun := step > 0 || done
				if begun {
					wantHosts(t, direct, a)
				} else {
					wantHosts(t, direct, a, "www.example.com")
					check(t, direct.RemoveDomain(t.Context(), a.ID, d.ID))
				}
				all, err := direct.Domains(t.Context(), a.ID) // settles
				check(t, err)
				if len(all) != 0 {
					t.Fatalf("left: %v", all)
				}
				addDomain(t, direct, b, "www.example.com")
				if n := p.raw(t).HLen(t.Context(), "renga:{"+string(a.ID)+"}:domains").Val(); n != 0 {
					t.Errorf("%d records are left", n)
				}
			})
		}
	}
}

// cut loses a request, or its answer, together with the connection.
func cut(done bool) fault {
	return func(client, server net.Conn, request []byte) bool {
		if done {
			_ = client.(*net.TCPConn).CloseWrite() // no answer will get through
			_, _ = server.Write(request)
			_ = server.(*net.UnixConn).CloseWrite()
			drain(server)
		}
		return false
	}
}

// drain reads until Redis has dealt with all it was sent.
func drain(server net.Conn) {
	buf := make([]byte, 4096)
	for {
		if _, err := server.Read(buf); err != nil {
			return
		}
	}
}

func TestAnAppThatGoesTakesItsClaimsAlong(t *testing.T) {
	s, p := newStore(t)
	a, b := createApp(t, s, "haiku"), createApp(t, s, "tanka")
	addDomain(t, s, a, "www.example.com")
	addDomain(t, s, a, "*.example.org")
	check(t, s.RemoveApp(t.Context(), a.ID))
	if left := p.raw(t).HGetAll(t.Context(), "renga:{platform}:domains").Val(); len(left) != 0 {
		t.Errorf("claims left: %v", left)
	}
	_, err := s.AddDomain(t.Context(), domain(a, "www.example.com"))
	wantKind(t, err, renga.NotFound)
	addDomain(t, s, b, "a.example.org")
}

func TestAnAppHasAThousandDomainsAtMost(t *testing.T) {
	s, p := newStore(t)
	a := createApp(t, s, "haiku")
	fields := map[string]any{}
	for i := range renga.MaxDomains - 1 {
		fields[fmt.Sprint(i)] = fmt.Sprintf(`{"hostname":"h%d.example.com"}`, i)
	}
	check(t, p.raw(t).HSet(t.Context(), "renga:{"+string(a.ID)+"}:domains", fields).Err())
	addDomain(t, s, a, "www.example.com")
	_, err := s.AddDomain(t.Context(), domain(a, "one-more.example.com"))
	wantKind(t, err, renga.Invalid)
}
