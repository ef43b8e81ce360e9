package store

import (
	"encoding/base64"
	"errors"
	"fmt"
)

// errNoSealer is for programs that opened the store without a key, such as
// commands that need no secrets.
var errNoSealer = errors.New("the store was opened without a key for secrets")

// seal encrypts a secret for the record that place names; it can be opened for
// no other.
func (s *Store) seal(place, secret string) (string, error) {
	if s.seals == nil {
		return "", errNoSealer
	}
	sealed, err := s.seals.Seal([]byte(secret), []byte(place))
	if err != nil {
		return "", fmt.Errorf("seal the secret of %s: %w", place, err)
	}
	return base64.StdEncoding.EncodeToString(sealed), nil
}

// unseal is the reverse of seal.
func (s *Store) unseal(place, sealed string) (string, error) {
	if s.seals == nil {
		return "", errNoSealer
	}
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return "", fmt.Errorf("read the secret of %s: %w", place, err)
	}
	secret, err := s.seals.Open(raw, []byte(place))
	if err != nil {
		return "", fmt.Errorf("open the secret of %s: %w", place, err)
	}
	return string(secret), nil
}
