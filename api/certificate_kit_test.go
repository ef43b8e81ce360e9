package api_test

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

// The domain and the certificate that hello has in every rig.
const (
	domainID   = "60000000-0000-4000-8000-000000000001"
	endpointID = "60000000-0000-4000-8000-000000000002"
)

// own is the certificate of hello's, and certificateBody a request with it.
var (
	own             = newPair(born, "*.example.com", "example.com")
	certificateBody = own.body()
)

// pair is a certificate with its key, PEM.
type pair struct{ chain, key string }

func (p pair) body() string {
	b, err := json.Marshal(map[string]string{"certificate_chain": p.chain, "private_key": p.key})
	must(err)
	return string(b)
}

// newPair makes a certificate that its own key signed, good for a year from a
// time on.
func newPair(from time.Time, names ...string) pair {
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
	return pair{
		chain: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})),
		key:   string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}
}

// must is for the making of what tests stand on.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// furnish gives hello a domain and a certificate, and the other app a domain.
func furnish(db *store.Store) error {
	ctx := context.Background()
	c, err := renga.CheckCertificate(own.chain, own.key, born)
	must(err)
	e := renga.Endpoint{ID: endpointID, App: hello, CertificateID: endpointID, Certificate: c, CreatedAt: born, UpdatedAt: born}
	if _, err := db.AddEndpoint(ctx, e, own.key); err != nil {
		return err
	}
	for _, d := range []renga.Domain{
		{ID: domainID, App: hello, Hostname: "www.example.com", CreatedAt: born, UpdatedAt: born},
		{ID: "60000000-0000-4000-8000-000000000003", App: other, Hostname: "taken.example.org", CreatedAt: born, UpdatedAt: born},
	} {
		if _, err := db.AddDomain(ctx, d); err != nil {
			return err
		}
	}
	return nil
}
