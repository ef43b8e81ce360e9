package wiretest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"time"

	"renga"
	"renga/store"
)

// The ids of the domain and the certificate that hello has in every store.
const (
	DomainID   = "60000000-0000-4000-8000-000000000001"
	EndpointID = "60000000-0000-4000-8000-000000000002"
)

// Own is hello's certificate, and CertificateBody a request with it.
var (
	Own             = NewPair(Born, "*.example.com", "example.com")
	CertificateBody = Own.Body()
)

// Pair is a certificate with its key, PEM.
type Pair struct{ Chain, Key string }

func (p Pair) Body() string {
	b, err := json.Marshal(map[string]string{"certificate_chain": p.Chain, "private_key": p.Key})
	must(err)
	return string(b)
}

// NewPair makes a certificate that its own key signed, good for a year from a
// time on.
func NewPair(from time.Time, names ...string) Pair {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: from, NotAfter: from.AddDate(1, 0, 0),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	return Pair{
		Chain: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})),
		Key:   string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}
}

// addDomains gives hello a domain and a certificate, and the other app a domain.
func addDomains(ctx context.Context, db *store.Store) {
	c, err := renga.CheckCertificate(Own.Chain, Own.Key, Born)
	must(err)
	_, err = db.AddEndpoint(ctx, renga.Endpoint{
		ID: EndpointID, App: Hello, CertificateID: EndpointID, Certificate: c, CreatedAt: Born, UpdatedAt: Born,
	}, Own.Key)
	must(err)
	for _, d := range []renga.Domain{
		{ID: DomainID, App: Hello, Hostname: "www.example.com", CreatedAt: Born, UpdatedAt: Born},
		{
			ID: "60000000-0000-4000-8000-000000000003", App: Other, Hostname: "taken.example.org", CreatedAt: Born,
			UpdatedAt: Born,
		},
	} {
		_, err := db.AddDomain(ctx, d)
		must(err)
	}
}
