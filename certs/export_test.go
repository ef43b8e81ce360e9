package certs

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"time"
)

// Issue makes a certificate with its key.
func (a *CA) Issue(names []string, ips []net.IP, now time.Time) (*tls.Certificate, error) {
	return a.issue(names, ips, now)
}

// EncodePair is a certificate as the two files hold it.
func EncodePair(c *tls.Certificate) (chain, key []byte, err error) {
	for _, der := range c.Certificate {
		chain = append(chain, encodePEM("CERTIFICATE", der)...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	return chain, encodePEM("PRIVATE KEY", der), err
}
