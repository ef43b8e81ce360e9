package wire

import (
	"crypto/rand"
	"encoding/hex"

	"renga"
)

// NewSecret makes a secret for whoever calls the API, or is called by the platform: 60
// hexadecimal digits.
func NewSecret() renga.Secret {
	var random [30]byte
	_, _ = rand.Read(random[:]) // it never fails
	return renga.Secret(hex.EncodeToString(random[:]))
}
