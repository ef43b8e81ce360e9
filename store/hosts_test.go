package store_test

import (
	"fmt"
	"slices"
	"testing"

	"renga"
	"renga/store"
	"renga/store/storetest"
)

func TestAHostHasTheCertificateOfTheNearestDomain(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	for _, host := range []string{"www.example.com", "*.example.com", "*.eu.example.com", "example.com"} {
		useCertificate(t, s, addDomain(t, s, a, host), addEndpoint(t, s, a, host).ID)
	}
	addDomain(t, s, a, "bare.example.com")
	h := store.NewHosts(s)
	for host, want := range map[string]string{
		"www.example.com":     "www.example.com",
		"shop.example.com":    "*.example.com",
		"a.b.example.com":     "*.example.com",
		"www.eu.example.com":  "*.eu.example.com",
		"eu.example.com":      "*.example.com",
		"example.com":         "example.com",
		"bare.example.com":    "", // it has none of its own
		"www.example.org":     "",
		"www.an-example.com":  "",
		"example.com.evil.io": "",
		"":                    "",
	} {
		if got := certificateNames(t, h, host); got != want {
			t.Errorf("%q has the certificate of %q, want %q", host, got, want)
		}
	}
}

func TestAHostsCertificateFollowsChanges(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	first := addEndpoint(t, s, a, "www.example.com")
	d := addDomain(t, s, a, "www.example.com")
	h := store.NewHosts(s)
	becomes := func(what, want string) {
		t.Helper()
		storetest.Poll(t, what, func() bool { return certificateNames(t, h, "www.example.com") == want })
	}
	becomes("nothing at first", "")
	useCertificate(t, s, d, first.ID)
	becomes("the certificate given", "www.example.com")
	fresh, key := signed(t, a, "www.example.com", "shop.example.com")
	fresh.ID = first.ID
	_, err := s.UpdateEndpoint(t.Context(), fresh, key)
	check(t, err)
	becomes("the one that replaced it", "www.example.com shop.example.com")
	check(t, s.RemoveDomain(t.Context(), a.ID, d.ID))
	becomes("nothing, for the domain is gone", "")
	b := createApp(t, s, "tanka")
	useCertificate(t, s, addDomain(t, s, b, "www.example.com"), addEndpoint(t, s, b, "www.example.com").ID)
	becomes("the one of the app that has it now", "www.example.com")
	check(t, s.RemoveApp(t.Context(), b.ID))
	becomes("nothing, for the app is gone", "")
}

func TestKnownHostsAreServedWhileRedisIsAway(t *testing.T) {
	s, p := newStore(t)
	a := createApp(t, s, "haiku")
	useCertificate(t, s, addDomain(t, s, a, "www.example.com"), addEndpoint(t, s, a, "www.example.com").ID)
	h := store.NewHosts(s)
	certificateNames(t, h, "www.example.com")
	certificateNames(t, h, "nobodys.example.org")
	p.kill(t)
	for range 3 {
		if got := certificateNames(t, h, "www.example.com"); got != "www.example.com" {
			t.Fatalf("a known host has %q", got)
		}
	}
	if _, err := h.Certificate(t.Context(), "new.example.com"); err == nil {
		t.Error("what a host has that nobody asked for before is known")
	}
}

func TestStrangeNamesDoNotPushOutKnownHosts(t *testing.T) {
	s, p := newStore(t)
	a := createApp(t, s, "haiku")
	useCertificate(t, s, addDomain(t, s, a, "www.example.com"), addEndpoint(t, s, a, "www.example.com").ID)
	h := store.NewHosts(s)
	certificateNames(t, h, "www.example.com")
	for i := range store.HostsKept + 1 {
		if got := certificateNames(t, h, fmt.Sprintf("host-%d.example.org", i)); got != "" {
			t.Fatalf("a strange name has the certificate of %s", got)
		}
	}
	p.kill(t)
	if got := certificateNames(t, h, "www.example.com"); got != "www.example.com" {
		t.Errorf("the known host has %q", got)
	}
}

func TestManagedHostsAreThoseOfAppsWithManagedCertificates(t *testing.T) {
	s, _ := newStore(t)
	a, b := createApp(t, s, "haiku"), createApp(t, s, "tanka")
	managed := addDomain(t, s, a, "www.example.com")
	own := addDomain(t, s, a, "own.example.com")
	useCertificate(t, s, own, addEndpoint(t, s, a, "own.example.com").ID)
	addDomain(t, s, a, "*.example.com")
	addDomain(t, s, b, "www.example.org")
	manage := func(id renga.AppID) {
		t.Helper()
		_, err := s.UpdateApp(t.Context(), id, func(a *renga.App) error { a.ACM = true; return nil })
		check(t, err)
	}
	wantManaged := func(want ...string) {
		t.Helper()
		h := store.NewHosts(s)
		got, err := h.Managed(t.Context())
		check(t, err)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("managed are %v, want %v", got, want)
		}
		for _, host := range []string{
			"www.example.com", "own.example.com", "shop.example.com", "*.example.com", "www.example.org", "nobodys.example.net",
		} {
			if ours, err := h.IsManaged(t.Context(), host); err != nil || ours != slices.Contains(want, host) {
				t.Errorf("%s is managed: %v, err %v", host, ours, err)
			}
		}
	}
	wantManaged()
	manage(a.ID)
	wantManaged("www.example.com")
	manage(b.ID)
	wantManaged("www.example.com", "www.example.org")
	check(t, s.RemoveDomain(t.Context(), a.ID, managed.ID))
	wantManaged("www.example.org")
	check(t, s.RemoveApp(t.Context(), b.ID))
	wantManaged()
}

func TestTheStateOfAManagedCertificateIsNotedWithItsDomainOnly(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	addDomain(t, s, a, "www.example.com")
	addDomain(t, s, a, "*.example.com")
	failing := renga.ACMStatus{State: "failing", Reason: "no such name in the DNS"}
	for _, host := range []string{"www.example.com", "shop.example.com", "nobodys.example.org"} {
		check(t, s.SetACM(t.Context(), host, failing))
	}
	all, err := s.Domains(t.Context(), a.ID)
	check(t, err)
	for _, d := range all {
		if noted := d.ACM == failing; noted != (d.Hostname == "www.example.com") {
			t.Errorf("%s: %+v", d.Hostname, d.ACM)
		}
	}
}
