// Package cosigntest signs images in tests as cosign does (SIGNATURE_SPEC.md, "Simple
// Signing").
package cosigntest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// PayloadType is the media type of what is signed.
	PayloadType = "application/vnd.dev.cosign.simplesigning.v1+json"
	// Annotation of such a layer is its signature.
	Annotation = "dev.cosignproject.cosign/signature"
)

// Key signs.
type Key struct {
	private crypto.Signer
	Public  string // in PEM, as cosign.pub
}

// NewKey makes a key of ECDSA P-256, as cosign generate-key-pair does.
func NewKey() Key {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return newKey(key, err)
}

// NewEd25519Key makes one of Ed25519.
func NewEd25519Key() Key {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return newKey(key, err)
}

func newKey(key crypto.Signer, err error) Key {
	if err != nil {
		panic(err) // the system's random numbers never fail
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(err) // it knows both kinds of keys
	}
	return Key{key, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
}

// Sign is the signature of a payload, in Base64.
func (k Key) Sign(payload []byte) string {
	sum, hash := sha256.Sum256(payload), crypto.SHA256
	message := sum[:]
	if _, ed := k.private.(ed25519.PrivateKey); ed {
		message, hash = payload, crypto.Hash(0)
	}
	signed, err := k.private.Sign(rand.Reader, message, hash)
	if err != nil {
		panic(err) // only for a hash that a key cannot sign
	}
	return base64.StdEncoding.EncodeToString(signed)
}

// Payload says that an image is the one of a repository.
func Payload(repository, dgst string) []byte {
	return fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},`+
		`"type":"cosign container image signature"},"optional":null}`, repository, dgst)
}

// Signature is one layer of a signature's manifest.
type Signature struct {
	Payload []byte
	Signed  string
}

// Of signs an image of a repository, such as registry.example/hello/web.
func (k Key) Of(repository, dgst string) Signature {
	p := Payload(repository, dgst)
	return Signature{p, k.Sign(p)}
}

// Tag is the tag below which cosign stores the signatures of a digest.
func Tag(dgst string) string { return strings.Replace(dgst, ":", "-", 1) + ".sig" }

// Image is signatures as cosign pushes them.
func Image(all ...Signature) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, one := range all {
		var err error
		img, err = mutate.Append(img, mutate.Addendum{
			Layer: static.NewLayer(one.Payload, PayloadType), Annotations: map[string]string{Annotation: one.Signed},
		})
		if err != nil {
			return nil, err
		}
	}
	return img, nil
}
