package people

import (
	"context"
	"crypto/rsa"
	"net/http"
	"strings"

	"github.com/google/uuid"
	"github.com/gorilla/mux"
	"golang.org/x/crypto/ssh"

	"renga"
	"renga/api/wire"
)

// dsaKey is a type of keys that are always too short (RFC 4253, section 6.6), and
// that OpenSSH no longer accepts.
const dsaKey = "ssh-dss"

// Keys keeps people's public SSH keys.
type Keys interface {
	// Keys lists the keys of an account, oldest first.
	Keys(ctx context.Context, account renga.AccountID) ([]renga.SSHKey, error)
	// AddKey is Conflict if an account has the key already.
	AddKey(ctx context.Context, k renga.SSHKey) error
	DeleteKey(ctx context.Context, account renga.AccountID, id string) error
}

func (s *Server) keyRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/account/keys", wire.WholeToken, s.listKeys),
		wire.Get("/account/keys/{key}", wire.WholeToken, s.keyInfo),
		// Heroku's CLI sends these; the schema does not have them.
		wire.Post("/account/keys", wire.WholeToken, s.addKey),
		wire.Delete("/account/keys/{key}", wire.WholeToken, s.deleteKey),
	}
}

// key is a public SSH key as JSON.
type key struct {
	Comment     string `json:"comment"`
	CreatedAt   string `json:"created_at"`
	Email       string `json:"email"`
	Fingerprint string `json:"fingerprint"`
	ID          string `json:"id"`
	PublicKey   string `json:"public_key"`
	UpdatedAt   string `json:"updated_at"`
}

func newKey(k renga.SSHKey, who renga.Account) key {
	return key{
		Comment: k.Comment, CreatedAt: wire.Stamp(k.CreatedAt), Email: who.Email, Fingerprint: k.Fingerprint, ID: k.ID,
		PublicKey: k.PublicKey, UpdatedAt: wire.Stamp(k.CreatedAt),
	}
}

func (s *Server) listKeys(w http.ResponseWriter, r *http.Request) error {
	all, err := s.parts.Keys.Keys(r.Context(), wire.Caller(r).ID)
	if err != nil {
		return err
	}
	shown := make([]key, 0, len(all))
	for _, k := range all {
		shown = append(shown, newKey(k, wire.Caller(r)))
	}
	return wire.List(w, r, shown,
		wire.By("id", func(k key) string { return k.ID }),
		wire.By("fingerprint", func(k key) string { return k.Fingerprint }))
}

// keyOf finds the key of the path, one of the caller's, by its id or fingerprint.
func (s *Server) keyOf(r *http.Request) (renga.SSHKey, error) {
	all, err := s.parts.Keys.Keys(r.Context(), wire.Caller(r).ID)
	if err != nil {
		return renga.SSHKey{}, err
	}
	identity := mux.Vars(r)["key"]
	for _, k := range all {
		if k.ID == identity || k.Fingerprint == identity {
			return k, nil
		}
	}
	return renga.SSHKey{}, wire.NotFound("key")
}

func (s *Server) keyInfo(w http.ResponseWriter, r *http.Request) error {
	k, err := s.keyOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newKey(k, wire.Caller(r)))
}

func (s *Server) addKey(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		PublicKey string `json:"public_key"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	k, err := parseKey(body.PublicKey)
	if err != nil {
		return err
	}
	k.ID, k.Account, k.CreatedAt = uuid.NewString(), wire.Caller(r).ID, s.Now()
	if err := s.parts.Keys.AddKey(r.Context(), k); err != nil {
		return err
	}
	s.Audit(r, "key added", "", "fingerprint", k.Fingerprint)
	return wire.Answer(w, http.StatusCreated, newKey(k, wire.Caller(r)))
}

// parseKey reads a line as ssh-keygen writes it. It refuses keys that servers no
// longer accept.
func parseKey(line string) (renga.SSHKey, error) {
	const leastBits, mostBytes = 2048, 16 << 10
	public, comment, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	several := strings.Contains(strings.TrimSpace(line), "\n") // the parser skips lines that are no keys
	if err != nil || several || len(options)+len(rest) > 0 || len(line) > mostBytes {
		return renga.SSHKey{}, wire.Invalid("Field \"public_key\" must be one line of a public SSH key, such as " +
			"the file id_ed25519.pub holds.")
	}
	if public.Type() == dsaKey {
		return renga.SSHKey{}, wire.Invalid("DSA keys are not safe any more; make a key with ssh-keygen -t ed25519.")
	}
	if wrapped, ok := public.(ssh.CryptoPublicKey); ok {
		if plain, ok := wrapped.CryptoPublicKey().(*rsa.PublicKey); ok && plain.N.BitLen() < leastBits {
			return renga.SSHKey{}, wire.Invalid(
				"RSA keys must have %d bits at the least; make a key with ssh-keygen -t ed25519.", leastBits,
			)
		}
	}
	return renga.SSHKey{Comment: comment, Fingerprint: ssh.FingerprintLegacyMD5(public), PublicKey: line}, nil
}

func (s *Server) deleteKey(w http.ResponseWriter, r *http.Request) error {
	k, err := s.keyOf(r)
	if err != nil {
		return err
	}
	if err := s.parts.Keys.DeleteKey(r.Context(), k.Account, k.ID); err != nil {
		return wire.OrNotFound(err, "key")
	}
	s.Audit(r, "key removed", "", "fingerprint", k.Fingerprint)
	return wire.Answer(w, http.StatusOK, newKey(k, wire.Caller(r)))
}
