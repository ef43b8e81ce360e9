package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"renga"
	"renga/durable"
)

const (
	caLife   = 10 * 365 * 24 * time.Hour
	leafLife = 90 * 24 * time.Hour
	// backdated is how far clients' clocks may be behind.
	backdated = time.Hour
)

// CA is the local certificate authority of one platform.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// OpenCA reads the CA, or makes what is missing of it: first the key, readable
// by its owner only, then the certificate. The certificate can be made again
// from the key at any time, and still vouches for what was issued before; it is
// made again when it ends within a year.
func OpenCA(keyFile, certFile string, now time.Time) (*CA, error) {
	key, err := readKey(keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(keyFile)
	}
	if err != nil {
		return nil, err
	}
	cert, err := readCert(certFile)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, err
	}
	if missing || !key.PublicKey.Equal(cert.PublicKey) || now.AddDate(1, 0, 0).After(cert.NotAfter) {
		cert, err = makeCACert(certFile, key, now)
	}
	return &CA{cert, key}, err
}

// Pool is a set of trusted CAs with this one alone.
func (a *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// issue makes a server's certificate.
func (a *CA) issue(names []string, ips []net.IP, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf, err := sign(&x509.Certificate{
		Subject:  pkix.Name{CommonName: names[0]},
		DNSNames: names, IPAddresses: ips,
		NotBefore: now.Add(-backdated), NotAfter: now.Add(leafLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate for %s: %w", names[0], err)
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw, a.cert.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

func makeCACert(path string, key *ecdsa.PrivateKey, now time.Time) (*x509.Certificate, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{Organization: []string{"Renga"}, CommonName: "Renga local CA on " + host},
		NotBefore: now.Add(-backdated), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	cert, err := sign(template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make the local CA: %w", err)
	}
	return cert, writeFile(path, encodePEM("CERTIFICATE", cert.Raw), 0o644)
}

// sign fills in the serial number and parses what came out.
func sign(template, parent *x509.Certificate, public, signer any) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func makeKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writeFile(path, encodePEM("PRIVATE KEY", der), 0o600)
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	der, err := readPEM(path, 0o077)
	if err != nil {
		return nil, err
	}
	var key crypto.PrivateKey
	if key, err = x509.ParsePKCS8PrivateKey(der); err == nil {
		if key, ok := key.(*ecdsa.PrivateKey); ok {
			return key, nil
		}
	}
	return nil, damaged(path) // the cause is left out: it may quote the key
}

func readCert(path string) (*x509.Certificate, error) {
	der, err := readPEM(path, 0)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, damaged(path)
	}
	return cert, nil
}

// firstCert parses the first certificate of a chain in PEM.
func firstCert(chain []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(chain)
	if block == nil {
		return nil, errors.New("it holds no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

// readPEM reads a file's first block. None of the forbidden mode bits may be
// set.
func readPEM(path string, forbidden fs.FileMode) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return nil, renga.Errorf(renga.Invalid,
			"The key file %s can be read by others than its owner (mode %04o). Run: chmod 600 %s", path, mode, path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, damaged(path)
	}
	return block.Bytes, nil
}

func damaged(path string) error {
	return renga.Errorf(renga.Invalid, "%s is damaged: put it back from a backup, or remove it and a new one is made, "+
		"which clients must be told to trust.", path)
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// writeFile replaces a file as a whole, and makes the folders it lies in.
func writeFile(path string, content []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(path, content, mode)
}
