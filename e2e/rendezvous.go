package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// Rendezvous attaches to the one-off dyno at a URL as Heroku's CLI does: over
// TLS without a server name, to a certificate that is checked all the same. What
// is read from the connection is the dyno's output.
func (w *Platform) Rendezvous(ctx context.Context, attachURL string) (*tls.Conn, error) {
	u, err := url.Parse(attachURL)
	if err != nil {
		return nil, err
	}
	roots, err := w.CA()
	if err != nil {
		return nil, err
	}
	dialer := tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, // there is no name to check by itself
		VerifyConnection: func(state tls.ConnectionState) error {
			_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: u.Hostname(), Roots: roots})
			return err
		},
	}}
	plain, err := dialer.DialContext(ctx, "tcp", w.TLSAddr)
	if err != nil {
		return nil, err
	}
	conn := plain.(*tls.Conn)
	if err := sendSecret(conn, strings.TrimPrefix(u.Path, "/")); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// sendSecret sends the secret and takes the first piece, which the CLI drops.
func sendSecret(conn *tls.Conn, secret string) error {
	if _, err := io.WriteString(conn, secret+"\r\n"); err != nil {
		return err
	}
	first := make([]byte, 100)
	n, err := conn.Read(first)
	if err == nil && string(first[:n]) != "rendezvous\r\n" {
		err = fmt.Errorf("the rendezvous begins with %q", first[:n])
	}
	return err
}
