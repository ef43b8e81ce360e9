package partner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"renga"
	"renga/addons/catalogue"
)

// secrets are what the platform shares with one partner.
type secrets struct {
	Password     renga.Secret `json:"password"`      // the platform's, with the partner
	SSOSalt      renga.Secret `json:"sso_salt"`      // of what people are sent to it with
	ClientSecret renga.Secret `json:"client_secret"` // the partner's, when it asks for tokens
}

const (
	maxSecrets = 16 << 10
	// minSecret keeps secrets from being guessed over the network.
	minSecret = 12
)

// secretsOf reads the secrets of a partner, each time anew: so they can be
// replaced without a restart.
func (p *Provider) secretsOf(s catalogue.Service) (secrets, error) {
	keys, err := readSecrets(s.Partner.Secrets)
	if err != nil {
		p.Log.Warn("the secrets of a partner cannot be used", "service", s.Name, "err", err)
		return keys, renga.Errorf(renga.Unavailable, "The secrets of %s cannot be used; Renga's log tells the operator why.",
			s.HumanName)
	}
	return keys, nil
}

// readSecrets refuses a file that others may read.
func readSecrets(path string) (secrets, error) {
	var keys secrets
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not hold us up
	if err != nil {
		return keys, fmt.Errorf("the file of a partner's secrets: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.Stat()
	switch {
	case err != nil:
		return keys, fmt.Errorf("the file of a partner's secrets: %w", err)
	case !info.Mode().IsRegular():
		return keys, fmt.Errorf("%s is no regular file", path)
	case info.Mode().Perm()&0o077 != 0:
		return keys, fmt.Errorf("others may read or write %s: run `chmod 600` on it", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecrets))
	if err != nil {
		return keys, fmt.Errorf("read a partner's secrets: %w", err)
	}
	if err := json.Unmarshal(text, &keys); err != nil {
		// The library's error might quote the text.
		return keys, fmt.Errorf("%s is no JSON object with password, sso_salt and client_secret", path)
	}
	return keys, errors.Join(
		strong(path, "password", keys.Password), strong(path, "sso_salt", keys.SSOSalt),
		strong(path, "client_secret", keys.ClientSecret),
	)
}

func strong(path, name string, secret renga.Secret) error {
	if len(secret) < minSecret {
		return fmt.Errorf("%s in %s must have %d characters at least", name, path, minSecret)
	}
	return nil
}
