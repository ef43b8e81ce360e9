package store_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"renga"
	"renga/store"
)

// signed makes an endpoint with a certificate for the names, and its key.
func signed(t testing.TB, a renga.App, names ...string) (renga.Endpoint, string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: a.CreatedAt, NotAfter: a.CreatedAt.AddDate(1, 0, 0),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	check(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	check(t, err)
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	c, err := renga.CheckCertificate(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})), key,
		a.CreatedAt)
	check(t, err)
	return renga.Endpoint{
		ID: uuid.NewString(), App: a.ID, CertificateID: uuid.NewString(), Certificate: c, CreatedAt: a.CreatedAt,
		UpdatedAt: a.CreatedAt,
	}, key
}

func addEndpoint(t testing.TB, s *store.Store, a renga.App, names ...string) renga.Endpoint {
	t.Helper()
	e, key := signed(t, a, names...)
	e, err := s.AddEndpoint(t.Context(), e, key)
	check(t, err)
	return e
}

// useCertificate makes a domain use a certificate; the empty id takes it away.
func useCertificate(t testing.TB, s *store.Store, d renga.Domain, endpoint string) {
	t.Helper()
	_, err := s.UpdateDomain(t.Context(), d.App, d.ID, func(d *renga.Domain) error {
		d.Endpoint = endpoint
		return nil
	})
	check(t, err)
}

// everything is what Redis holds, as one text.
func everything(t testing.TB, db *redis.Client) string {
	t.Helper()
	keys, err := db.Keys(t.Context(), "*").Result()
	check(t, err)
	var all strings.Builder
	for _, key := range keys {
		text, err := db.Get(t.Context(), key).Result()
		if err == nil {
			fmt.Fprintln(&all, key, text)
			continue
		}
		fields, err := db.HGetAll(t.Context(), key).Result()
		check(t, err)
		fmt.Fprintln(&all, key, fields)
	}
	return all.String()
}

func TestACertificateIsAddedReplacedAndRemoved(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	first := addEndpoint(t, s, a, "www.example.com")
	second := addEndpoint(t, s, a, "*.example.com", "example.com")
	if first.Name == "" || first.Name == second.Name {
		t.Errorf("they are called %q and %q", first.Name, second.Name)
	}

	fresh, key := signed(t, a, "www.example.com", "shop.example.com")
	fresh.ID, fresh.UpdatedAt = first.ID, a.CreatedAt.Add(time.Hour)
	changed, err := s.UpdateEndpoint(t.Context(), fresh, key)
	check(t, err)
	fresh.Name, fresh.CreatedAt = first.Name, first.CreatedAt
	if !reflect.DeepEqual(changed, fresh) {
		t.Errorf("replaced by %+v, want %+v", changed, fresh)
	}
	all, err := s.Endpoints(t.Context(), a.ID)
	check(t, err)
	if len(all) != 2 || !reflect.DeepEqual(all[0], changed) && !reflect.DeepEqual(all[1], changed) {
		t.Errorf("the app has %+v", all)
	}

	d := addDomain(t, s, a, "www.example.com")
	useCertificate(t, s, d, first.ID)
	check(t, s.RemoveEndpoint(t.Context(), a.ID, first.ID))
	wantKind(t, s.RemoveEndpoint(t.Context(), a.ID, first.ID), renga.NotFound)
	if left, err := s.Domains(t.Context(), a.ID); err != nil || left[0].Endpoint != "" {
		t.Errorf("the domain still uses it: %+v, err %v", left, err)
	}
	_, err = s.UpdateEndpoint(t.Context(), fresh, key)
	wantKind(t, err, renga.NotFound)
}

func TestCertificatesOfAnAppThatIsGoneAreRefusedAndRemoved(t *testing.T) {
	s, p := newStore(t)
	a := createApp(t, s, "haiku")
	addEndpoint(t, s, a, "www.example.com")
	check(t, s.RemoveApp(t.Context(), a.ID))
	e, key := signed(t, a, "www.example.com")
	_, err := s.AddEndpoint(t.Context(), e, key)
	wantKind(t, err, renga.NotFound)
	if left := everything(t, p.raw(t)); strings.Contains(left, string(a.ID)) {
		t.Errorf("left in Redis: %s", left)
	}
}

func TestKeysOfCertificatesAreSealedInRedis(t *testing.T) {
	s, p := newStore(t)
	a := createApp(t, s, "haiku")
	e, key := signed(t, a, "www.example.com")
	e, err := s.AddEndpoint(t.Context(), e, key)
	check(t, err)
	stored := everything(t, p.raw(t))
	if !strings.Contains(stored, e.Name) {
		t.Fatalf("the certificate is not in Redis: %s", stored)
	}
	block, _ := pem.Decode([]byte(key))
	for name, secret := range map[string]string{
		"PEM": "PRIVATE KEY", "base64": strings.Split(key, "\n")[1], "DER": string(block.Bytes),
		"PEM in base64": base64.StdEncoding.EncodeToString([]byte(key))[:60],
	} {
		if strings.Contains(stored, secret) {
			t.Errorf("Redis holds the key as %s", name)
		}
	}

	keyless, err := store.Open(t.Context(), store.Options{URL: p.url(), Log: discardLogs()})
	check(t, err)
	t.Cleanup(func() { _ = keyless.Close() })
	if _, err := keyless.AddEndpoint(t.Context(), e, key); err == nil {
		t.Error("a key is stored without being sealed")
	}
}

// TestASealedKeyIsGoodForItsCertificateOnly: whoever can write to Redis cannot
// have one app's key served for another's domain.
func TestASealedKeyIsGoodForItsCertificateOnly(t *testing.T) {
	s, p := newStore(t)
	ours, theirs := createApp(t, s, "haiku"), createApp(t, s, "tanka")
	e := addEndpoint(t, s, ours, "www.example.com")
	d := addDomain(t, s, theirs, "www.example.com")
	useCertificate(t, s, d, e.ID)
	raw := p.raw(t)
	record, err := raw.HGet(t.Context(), "renga:{"+string(ours.ID)+"}:endpoints", e.ID).Result()
	check(t, err)
	check(t, raw.HSet(t.Context(), "renga:{"+string(theirs.ID)+"}:endpoints", e.ID, record).Err())
	if cert, err := store.NewHosts(s).Certificate(t.Context(), "www.example.com"); err == nil {
		t.Errorf("the moved certificate is served: %v", cert.Leaf.DNSNames)
	}
}

func TestManyCertificatesAddedAtOnceAreAllKept(t *testing.T) {
	s, p := newStore(t)
	second := open(t, p.url()) // another process, as far as Redis can tell
	a := createApp(t, s, "haiku")
	var wg sync.WaitGroup
	for i := range 16 {
		e, key := signed(t, a, fmt.Sprintf("host-%d.example.com", i))
		db := []*store.Store{s, second}[i%2]
		wg.Go(func() {
			if _, err := db.AddEndpoint(context.WithoutCancel(t.Context()), e, key); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all, err := s.Endpoints(t.Context(), a.ID)
	check(t, err)
	names := map[string]bool{}
	for _, e := range all {
		names[e.Name] = true
	}
	if len(all) != 16 || len(names) != 16 {
		t.Errorf("%d certificates with %d names", len(all), len(names))
	}
}

// certificateNames tells which names the certificate of a host says; empty for none.
func certificateNames(t testing.TB, h *store.Hosts, host string) string {
	t.Helper()
	cert, err := h.Certificate(t.Context(), host)
	check(t, err)
	return namesOf(cert)
}

func namesOf(cert *tls.Certificate) string {
	if cert == nil {
		return ""
	}
	return strings.Join(cert.Leaf.DNSNames, " ")
}
