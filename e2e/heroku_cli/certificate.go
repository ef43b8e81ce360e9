package herokucli

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"os"
	"time"

	"renga/e2e"
)

// certificate buys a certificate: NAME.crt has it and the certificate of the CA
// that signed it, which is called "NAME CA" and trusted by nobody; NAME.key has
// the key.
func certificate(_ context.Context, s *e2e.Script, _ io.Writer, args []string) error {
	if len(args) < 2 {
		return errors.New("usage: certificate NAME HOST…")
	}
	name, hosts := args[0], args[1:]
	ca := template(name + " CA")
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	rootKey, root, err := sign(ca, ca, nil)
	if err != nil {
		return err
	}
	leaf := template(hosts[0])
	leaf.DNSNames = hosts
	key, signed, err := sign(leaf, ca, rootKey)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(s.Abs(name+".crt"), append(encode("CERTIFICATE", signed), encode("CERTIFICATE", root)...), 0o600),
		os.WriteFile(s.Abs(name+".key"), encode("PRIVATE KEY", der), 0o600))
}

// template is what all certificates have in common.
func template(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 3, 0),
	}
}

// sign makes a key and its certificate; without an issuer's key the new one signs.
func sign(cert, issuer *x509.Certificate, by *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, issuer, &key.PublicKey, by)
	return key, der, err
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
