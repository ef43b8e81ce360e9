// Package seal encrypts the platform's secrets at rest, with AES-256-GCM, and
// detects on opening whether they were changed.
//
// The keys are in one file below the data directory, outside Redis and the
// registry, readable by its owner only. So neither a dump of Redis nor a copy
// of the registry, nor both, give a config var away. Losing the file loses
// every sealed release: it belongs into a backup of its own.
//
// The file is a keyset in Tink's JSON format: one primary key that seals, and
// all older ones, which still open what they sealed.
package seal

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"renga"
	"renga/durable"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Keyset seals and opens. It is safe for concurrent use.
type Keyset struct {
	path    string
	current atomic.Pointer[keys]

	rotating sync.Mutex // one Rotate at a time
}

// keys is one immutable state of the keyset.
type keys struct {
	handle *keyset.Handle
	cipher tink.AEAD
}

// Open reads the keyset file at path, and makes one with a fresh key when there
// is none. It refuses a file that its group or others may read, for then the
// secrets are no longer secret.
func Open(path string) (*Keyset, error) {
	handle, err := readKeyset(path)
	if os.IsNotExist(err) {
		handle, err = createKeyset(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open keyset %s: %w", path, err)
	}
	k := &Keyset{path: path}
	if err := k.use(handle); err != nil {
		return nil, fmt.Errorf("open keyset %s: %w", path, err)
	}
	return k, nil
}

// Seal encrypts plain with the primary key and binds it to associated, which is
// not part of the result and must be given again to open it. The same input
// gives another output each time.
func (k *Keyset) Seal(plain, associated []byte) ([]byte, error) {
	sealed, err := k.current.Load().cipher.Encrypt(plain, associated)
	if err != nil {
		return nil, fmt.Errorf("seal %d bytes: %w", len(plain), err)
	}
	return sealed, nil
}

// Open is the reverse of Seal, with whichever key of the set sealed it. If
// sealed was altered, cut short, sealed by a key that is not in the set, or
// bound to other associated data, the error is an internal *renga.Error, which
// tells a missing key from a change. It says nothing of the content.
func (k *Keyset) Open(sealed, associated []byte) ([]byte, error) {
	now := k.current.Load()
	if id, ok := keyOf(sealed); ok && !now.has(id) {
		return nil, renga.Errorf(renga.Internal,
			"sealed with key %d, which is not in the keyset file %s; put that file back from its backup", id, k.path)
	}
	plain, err := now.cipher.Decrypt(sealed, associated)
	if err != nil {
		return nil, renga.Errorf(renga.Internal, "the seal is broken: the content was changed, or belongs elsewhere: %w", err)
	}
	return plain, nil
}

// Rotate adds a new key and seals with it from now on; older keys still open
// what they sealed. The file is replaced at once or not at all. It starts from
// the file, not from memory, so that a key which another process added is kept;
// it never makes a new file, for that would forget the old keys.
func (k *Keyset) Rotate() error {
	k.rotating.Lock()
	defer k.rotating.Unlock()
	unlock, err := lockDir(filepath.Dir(k.path))
	if err != nil {
		return fmt.Errorf("rotate keyset %s: %w", k.path, err)
	}
	defer unlock()
	handle, err := readKeyset(k.path)
	if err == nil {
		handle, err = withNewPrimary(handle)
	}
	if err == nil {
		err = writeKeyset(k.path, handle, durable.WriteFile)
	}
	if err == nil {
		err = k.use(handle)
	}
	if err != nil {
		return fmt.Errorf("rotate keyset %s: %w", k.path, err)
	}
	return nil
}

// use makes handle's keys the ones that seal and open.
func (k *Keyset) use(handle *keyset.Handle) error {
	cipher, err := aead.New(handle)
	if err != nil {
		return err
	}
	k.current.Store(&keys{handle: handle, cipher: cipher})
	return nil
}

// has tells whether the key of that number is in the set.
func (k *keys) has(id uint32) bool {
	for i := range k.handle.Len() {
		if entry, err := k.handle.Entry(i); err == nil && entry.KeyID() == id {
			return true
		}
	}
	return false
}

// keyOf reads the number of the key from Tink's output prefix: one byte 1, then
// the number, big endian. It is false if sealed has none.
func keyOf(sealed []byte) (uint32, bool) {
	if len(sealed) < 5 || sealed[0] != 1 {
		return 0, false
	}
	return binary.BigEndian.Uint32(sealed[1:5]), true
}

// withNewPrimary is the keyset with one more key, which is the primary one.
func withNewPrimary(handle *keyset.Handle) (*keyset.Handle, error) {
	manager := keyset.NewManagerFromHandle(handle)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, err
	}
	return manager.Handle()
}
