package renga

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
)

// Provenance is what an app asks of images before they become releases. The zero
// value asks for nothing.
type Provenance struct {
	// Keys are public keys in PEM, ECDSA P-256 or Ed25519: an image needs a cosign
	// signature by one of them.
	Keys []string
	// Repositories are those, with their host, for which images may be signed too that
	// the app then imports or has promoted to it: ghcr.io/acme/shop.
	Repositories []string
	// Labels are what the image's config must have, each with that value.
	Labels map[string]string
}

// What rules may have at the most.
const (
	MaxProvenanceKeys         = 10
	MaxProvenanceRepositories = 20
	MaxProvenanceLabels       = 20
	maxKeyLength              = 1 << 10
	maxLabelLength            = 256
)

// On tells whether anything is asked for.
func (p Provenance) On() bool { return len(p.Keys) > 0 || len(p.Labels) > 0 }

// Validate tells what is wrong with the rules.
func (p Provenance) Validate() error {
	if len(p.Keys) > MaxProvenanceKeys || len(p.Repositories) > MaxProvenanceRepositories || len(p.Labels) > MaxProvenanceLabels {
		return Errorf(Invalid, "There can be up to %d keys, %d repositories and %d labels.", MaxProvenanceKeys,
			MaxProvenanceRepositories, MaxProvenanceLabels)
	}
	if _, err := p.PublicKeys(); err != nil {
		return err
	}
	if len(p.Repositories) > 0 && len(p.Keys) == 0 {
		return Errorf(Invalid, "Repositories count for signatures; name the keys that sign, too.")
	}
	for _, name := range p.Repositories {
		host, repository, ok := SplitRepository(name)
		if !ok || host+"/"+repository != name {
			return Errorf(Invalid, "%q is no repository with its host; they are like ghcr.io/acme/shop.", Clip(name, 100))
		}
	}
	for name, value := range p.Labels {
		if name == "" || len(name) > maxLabelLength || len(value) > maxLabelLength {
			return Errorf(Invalid, "A label has a name, and up to %d bytes in it and in its value.", maxLabelLength)
		}
	}
	return nil
}

// PublicKey is one that signatures are checked with.
type PublicKey struct{ key any }

// PublicKeys reads the keys.
func (p Provenance) PublicKeys() ([]PublicKey, error) {
	keys := make([]PublicKey, 0, len(p.Keys))
	for _, text := range p.Keys {
		key, ok := parsePublicKey(text)
		if !ok {
			return nil, Errorf(Invalid, "A key must be one public key in PEM, ECDSA P-256 or Ed25519, as cosign.pub has it.")
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func parsePublicKey(text string) (PublicKey, bool) {
	block, rest := pem.Decode([]byte(text))
	if len(text) > maxKeyLength || block == nil || block.Type != "PUBLIC KEY" || strings.TrimSpace(string(rest)) != "" {
		return PublicKey{}, false
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return PublicKey{}, false
	}
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return PublicKey{key}, key.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return PublicKey{key}, true
	}
	return PublicKey{}, false
}

// Verifies tells whether a signature, in base64, is the key's of the payload: of its
// SHA-256, in ASN.1, for ECDSA, and of itself for Ed25519, as cosign signs.
func (k PublicKey) Verifies(payload []byte, signature string) bool {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(payload)
		return ecdsa.VerifyASN1(key, sum[:], raw)
	case ed25519.PublicKey:
		return ed25519.Verify(key, payload, raw)
	}
	return false
}
