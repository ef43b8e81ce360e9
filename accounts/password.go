package accounts

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"renga"
)

// Cost is what one check of a password takes.
type Cost struct {
	Memory  uint32 // KiB
	Passes  uint32
	Threads uint8
}

// DefaultCost is above what OWASP asks for at the least (19 MiB, two passes).
var DefaultCost = Cost{Memory: 32 << 10, Passes: 3, Threads: 1}

const (
	saltBytes, keyBytes  = 16, 32
	minLength, maxLength = 8, 1024
	generatedPasswordLen = 24

	costFormat = "$argon2id$v=%d$m=%d,t=%d,p=%d%s"
)

var errDamaged = errors.New("a stored password hash is damaged")

// hash makes what is kept of a password: the cost, the salt and the key.
func (a *Accounts) hash(ctx context.Context, password string) (string, error) {
	if len(password) < minLength || len(password) > maxLength {
		return "", renga.Errorf(renga.Invalid, "A password must be %d to %d characters long.", minLength, maxLength)
	}
	h := hashed{cost: a.cost, salt: make([]byte, saltBytes)}
	rand.Read(h.salt) // never fails
	err := a.hashes.do(ctx, "", func() { h.key = h.keyOf(password) })
	return h.String(), err
}

// matches compares a password with a stored hash, for an address. Without a
// hash it does the same work, and answers no.
func (a *Accounts) matches(ctx context.Context, from, password, kept string) (bool, error) {
	h := hashed{cost: a.cost, salt: make([]byte, saltBytes)}
	if kept != "" {
		var err error
		if h, err = parseHash(kept); err != nil {
			return false, err
		}
	}
	if len(password) > maxLength {
		password = "" // which no account has
	}
	right := false
	err := a.hashes.do(ctx, from, func() { right = subtle.ConstantTimeCompare(h.keyOf(password), h.key) == 1 })
	return right, err
}

// hashed is a password as it is kept.
type hashed struct {
	cost      Cost
	salt, key []byte
}

func (h hashed) keyOf(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.cost.Passes, h.cost.Memory, h.cost.Threads, keyBytes)
}

// String is the PHC form, which other programs read too.
func (h hashed) String() string {
	text := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf(costFormat, argon2.Version, h.cost.Memory, h.cost.Passes, h.cost.Threads,
		"$"+text(h.salt)+"$"+text(h.key))
}

func parseHash(text string) (hashed, error) {
	var h hashed
	var version int
	var rest string
	if _, err := fmt.Sscanf(text, costFormat, &version, &h.cost.Memory, &h.cost.Passes, &h.cost.Threads,
		&rest); err != nil || version != argon2.Version {
		return h, errDamaged
	}
	parts := strings.Split(rest, "$")
	if len(parts) != 3 || h.cost.Passes == 0 || h.cost.Threads == 0 {
		return h, errDamaged
	}
	var errSalt, errKey error
	h.salt, errSalt = base64.RawStdEncoding.DecodeString(parts[1])
	h.key, errKey = base64.RawStdEncoding.DecodeString(parts[2])
	if errors.Join(errSalt, errKey) != nil || len(h.key) != keyBytes {
		return h, errDamaged
	}
	return h, nil
}

// NewPassword is one that nobody can guess, for whoever names none.
func NewPassword() string {
	b := make([]byte, generatedPasswordLen*5/8)
	rand.Read(b) // never fails
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}
