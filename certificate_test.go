package renga_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"renga"
)

var issuedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// keyPair is a certificate with its key.
type keyPair struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// issue makes a certificate that by has signed; the zero by is itself.
func issue(tb testing.TB, name string, key crypto.Signer, by keyPair) keyPair {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: issuedAt, NotAfter: issuedAt.AddDate(1, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	if by.cert == nil {
		by = keyPair{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return keyPair{cert, key}
}

func (h keyPair) keyDER(tb testing.TB) []byte {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(h.key)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

func inPEM(kind string, blocks ...[]byte) string {
	var b strings.Builder
	for _, der := range blocks {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return b.String()
}

func newSigners(tb testing.TB) (curve, edwards, large crypto.Signer) {
	tb.Helper()
	onCurve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	_, onEdwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	byRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	return onCurve, onEdwards, byRSA
}

func TestAChainIsBroughtIntoOrder(t *testing.T) {
	curve, edwards, large := newSigners(t)
	root := issue(t, "root.example.com", large, keyPair{})
	middle := issue(t, "middle.example.com", edwards, root)
	leaf := issue(t, "www.example.com", curve, middle)
	stranger := issue(t, "www.example.org", edwards, keyPair{})
	chain := inPEM("CERTIFICATE", root.cert.Raw, stranger.cert.Raw, leaf.cert.Raw, middle.cert.Raw, leaf.cert.Raw)
	c, err := renga.CheckCertificate("-----BEGIN NOTHING-----\nAAAA\n-----END NOTHING-----\n"+chain,
		inPEM("PRIVATE KEY", leaf.keyDER(t)), issuedAt)
	if err != nil {
		t.Fatal(err)
	}
	if want := inPEM("CERTIFICATE", leaf.cert.Raw, middle.cert.Raw, root.cert.Raw); c.Chain != want {
		t.Errorf("the chain is\n%s\nwant\n%s", c.Chain, want)
	}
	if len(c.Names) != 1 || c.Names[0] != "www.example.com" || c.Issuer != "/CN=middle.example.com" || c.SelfSigned() {
		t.Errorf("it says %+v", c)
	}
}

func TestOutsizeKeysAreRefusedBeforeAnythingIsComputed(t *testing.T) {
	curve, _, _ := newSigners(t)
	ca := issue(t, "ca.example.com", curve, keyPair{})
	modulus := new(big.Int).SetBit(big.NewInt(1), 1<<20, 1)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "www.example.com"}, NotAfter: issuedAt.AddDate(1, 0, 0),
	}
	huge, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &rsa.PublicKey{N: modulus, E: 65537}, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	own := inPEM("PRIVATE KEY", ca.keyDER(t))
	for name, given := range map[string]struct{ chain, key string }{
		"RSA key of more than 8192 bits": {inPEM("CERTIFICATE", ca.cert.Raw, huge), own},
		"key is too long": {
			inPEM("CERTIFICATE", ca.cert.Raw), inPEM("RSA PRIVATE KEY", bytes.Repeat([]byte{1}, 9<<10)),
		},
		"more than 20 certificates": {strings.Repeat(inPEM("CERTIFICATE", ca.cert.Raw), 21), own},
	} {
		start := time.Now()
		_, err := renga.CheckCertificate(given.chain, given.key, issuedAt)
		if renga.KindOf(err) != renga.Invalid || !strings.Contains(renga.MessageOf(err, ""), name) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

// FuzzCheckCertificate: what is taken as a certificate with its key can serve,
// and is taken again as what it was made into. With der the two are wrapped into
// PEM first, so that more than PEM is tried.
func FuzzCheckCertificate(f *testing.F) {
	curve, edwards, large := newSigners(f)
	var all [][]byte
	for _, key := range []crypto.Signer{curve, edwards, large} {
		h := issue(f, "www.example.com", key, keyPair{})
		f.Add(h.cert.Raw, h.keyDER(f), true)
		f.Add([]byte(inPEM("CERTIFICATE", h.cert.Raw)), []byte(inPEM("PRIVATE KEY", h.keyDER(f))), false)
		all = append(all, h.cert.Raw)
	}
	f.Add([]byte(inPEM("CERTIFICATE", all...)), []byte(inPEM("EC PRIVATE KEY", []byte{0x30, 0})), false)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"),
		[]byte("-----BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END PRIVATE KEY-----"), false)
	f.Fuzz(func(t *testing.T, chain, key []byte, der bool) {
		if der {
			chain, key = []byte(inPEM("CERTIFICATE", chain)), []byte(inPEM("PRIVATE KEY", key))
		}
		c, err := renga.CheckCertificate(string(chain), string(key), issuedAt)
		if err != nil {
			if renga.KindOf(err) != renga.Invalid {
				t.Errorf("refused with %v", err)
			}
			return
		}
		if _, err := tls.X509KeyPair([]byte(c.Chain), key); err != nil || len(c.Names) == 0 {
			t.Errorf("it cannot serve: names %q, %v", c.Names, err)
		}
		if again, err := renga.CheckCertificate(c.Chain, string(key), issuedAt); err != nil || again.Chain != c.Chain {
			t.Errorf("taken again it is %v, %q", err, again.Chain)
		}
	})
}
