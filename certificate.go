package renga

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Certificate is a chain of certificates, with fields of the first one.
type Certificate struct {
	Chain    string // PEM: the one of the domains, then whoever issued the one before
	Names    []string
	Subject  string // as /C=DE/CN=www.example.com
	Issuer   string
	StartsAt time.Time
	EndsAt   time.Time
}

// SelfSigned tells whether it was signed by its own key.
func (c Certificate) SelfSigned() bool { return c.Subject == c.Issuer }

// Covers tells whether it is valid for a host name. For a wildcard it must name
// that very wildcard.
func (c Certificate) Covers(host string) bool {
	if slices.Contains(c.Names, host) {
		return true
	}
	_, parent, ok := strings.Cut(host, ".")
	return ok && slices.Contains(c.Names, "*."+parent)
}

// Parse gives the chain's certificates.
func (c Certificate) Parse() ([]*x509.Certificate, error) { return parseChain(c.Chain) }

// Limits above what anybody needs: more would take long to compute with.
const (
	maxChain    = 20 // certificates
	maxRSABits  = 8192
	maxKeyBytes = 8 << 10 // of a private key
)

// CheckCertificate reads a chain of certificates and their key, both PEM, and
// tells whether they can serve now. It orders the chain: the key's certificate
// first, then each one's issuer, and leaves out all others. Messages never
// repeat the key.
func CheckCertificate(chain, key string, now time.Time) (Certificate, error) {
	certs, err := parseChain(chain)
	if err != nil {
		return Certificate{}, err
	}
	public, err := publicOf(key)
	if err != nil {
		return Certificate{}, err
	}
	i := slices.IndexFunc(certs, func(c *x509.Certificate) bool { return sameKey(c.PublicKey, public) })
	if i < 0 {
		return Certificate{}, Errorf(Invalid,
			"The private key does not belong to the certificate; give the key that its signing request was made with.")
	}
	c := describe(inOrder(certs[i], certs))
	switch {
	case len(c.Names) == 0:
		return Certificate{}, Errorf(Invalid, "The certificate names no domain.")
	case !now.Before(c.EndsAt):
		return Certificate{}, Errorf(Invalid, "The certificate expired on %s; give one that is still valid.",
			c.EndsAt.UTC().Format(time.DateOnly))
	}
	if _, err := tls.X509KeyPair([]byte(c.Chain), []byte(key)); err != nil {
		return Certificate{}, Errorf(Invalid,
			"The certificate cannot be used for TLS: its key is of a kind that is not supported.")
	}
	return c, nil
}

func parseChain(text string) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, Errorf(Invalid, "Certificate %d of the chain cannot be read; it must be X.509 in PEM form.",
				len(certs)+1)
		}
		if public, ok := c.PublicKey.(*rsa.PublicKey); ok && public.N.BitLen() > maxRSABits {
			return nil, Errorf(Invalid, "Certificate %d of the chain has an RSA key of more than %d bits, which TLS clients "+
				"refuse.", len(certs)+1, maxRSABits)
		}
		if certs = append(certs, c); len(certs) > maxChain {
			return nil, Errorf(Invalid, "The chain holds more than %d certificates.", maxChain)
		}
	}
	if len(certs) == 0 {
		return nil, Errorf(Invalid,
			"The chain holds no certificate; it must be in PEM form, with -----BEGIN CERTIFICATE----- above.")
	}
	return certs, nil
}

// publicOf is the public half of a private key.
func publicOf(text string) (crypto.PublicKey, error) {
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, Errorf(Invalid,
				"The private key is protected by a passphrase; remove it, for instance with openssl pkey.")
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if len(block.Bytes) > maxKeyBytes {
			return nil, Errorf(Invalid, "The private key is too long; RSA keys may have %d bits at the most.", maxRSABits)
		}
		if private, ok := parseKey(block.Bytes).(crypto.Signer); ok {
			return private.Public(), nil
		}
		return nil, Errorf(Invalid, "The private key cannot be read; it must be RSA, ECDSA or Ed25519, in PEM form.")
	}
	return nil, Errorf(Invalid,
		"No private key was given; it must be in PEM form, with a line like -----BEGIN PRIVATE KEY----- above.")
}

// parseKey reads a key in one of the usual forms; nil when it is none.
func parseKey(der []byte) any {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key
	}
	return nil
}

func sameKey(a, b crypto.PublicKey) bool {
	own, ok := a.(interface{ Equal(x crypto.PublicKey) bool })
	return ok && own.Equal(b)
}

// inOrder is the chain that starts with leaf, as far as the issuers are among
// the others.
func inOrder(leaf *x509.Certificate, others []*x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{leaf}
	for last := leaf; !bytes.Equal(last.RawIssuer, last.RawSubject); {
		i := slices.IndexFunc(others, func(c *x509.Certificate) bool {
			return !slices.ContainsFunc(chain, c.Equal) && bytes.Equal(c.RawSubject, last.RawIssuer) &&
				last.CheckSignatureFrom(c) == nil
		})
		if i < 0 {
			break
		}
		last = others[i]
		chain = append(chain, last)
	}
	return chain
}

// describe reads the fields of the chain's first certificate.
func describe(chain []*x509.Certificate) Certificate {
	leaf := chain[0]
	c := Certificate{
		Subject: oneLine(leaf.Subject), Issuer: oneLine(leaf.Issuer), StartsAt: leaf.NotBefore, EndsAt: leaf.NotAfter,
	}
	for _, name := range leaf.DNSNames {
		c.Names = append(c.Names, strings.ToLower(name))
	}
	if len(c.Names) == 0 && leaf.Subject.CommonName != "" {
		c.Names = []string{strings.ToLower(leaf.Subject.CommonName)}
	}
	for _, cert := range chain {
		c.Chain += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	}
	return c
}

var nameParts = map[string]string{
	"2.5.4.6": "C", "2.5.4.8": "ST", "2.5.4.7": "L", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.3": "CN",
	"1.2.840.113549.1.9.1": "emailAddress",
}

// oneLine writes a name as openssl's older versions and Heroku do.
func oneLine(n pkix.Name) string {
	var b strings.Builder
	for _, part := range n.Names {
		key, known := nameParts[part.Type.String()]
		if !known {
			key = part.Type.String()
		}
		if value, ok := part.Value.(string); ok {
			b.WriteString("/" + key + "=" + value)
		}
	}
	return b.String()
}

// Endpoint is an app's own certificate, which TLS clients of its domains get.
// Its private key is only in the store.
type Endpoint struct {
	ID   string // a UUID
	App  AppID
	Name string // tokyo-12345
	// CertificateID changes with each new certificate.
	CertificateID string
	Certificate   Certificate
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// MaxEndpoints bounds the certificates of one app.
const MaxEndpoints = 1000

// cities are what endpoints are called after.
var cities = []string{
	"akita", "bergen", "cusco", "dakar", "essen", "fukui", "genoa", "hanoi", "izmir", "jaipur", "kyoto", "lagos",
	"malmo", "nagoya", "osaka", "porto", "quito", "riga", "sendai", "tokyo", "ulm", "varna", "wuhan", "xian", "yonago",
	"zagreb",
}

// NewEndpointName invents a name for an endpoint, such as tokyo-12345.
func NewEndpointName() string {
	return fmt.Sprintf("%s-%d", cities[rand.IntN(len(cities))], 10_000+rand.IntN(90_000))
}
