package seal

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"renga"
	"renga/durable"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// readKeyset reads the file; its error is os.ErrNotExist when there is none.
func readKeyset(path string) (*keyset.Handle, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, renga.Errorf(renga.Invalid,
			"The key file %s can be read by others than its owner (mode %04o). Run: chmod 600 %s", path, mode, path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(content)
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(content)))
	if err != nil {
		// We leave out Tink's error: it may quote what it could not parse.
		return nil, renga.Errorf(renga.Invalid,
			"The key file %s holds no keyset. Put it back from its backup; without it no release can be opened.", path)
	}
	return handle, nil
}

// createKeyset makes the file with one fresh key. If two processes make one at
// the same time, the first wins and both use it.
func createKeyset(path string) (*keyset.Handle, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	err = writeKeyset(path, handle, durable.CreateFile)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return readKeyset(path)
}

// writeKeyset writes the keyset with write, one of durable's functions.
func writeKeyset(path string, handle *keyset.Handle, write func(string, []byte, fs.FileMode) error) error {
	var content bytes.Buffer
	defer func() { clear(content.Bytes()) }()
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&content)); err != nil {
		return err
	}
	return noSpace(write(path, content.Bytes(), 0o600))
}

// lockDir keeps other processes from rotating a keyset in the same directory
// until unlock is called. The kernel drops the lock when the process dies.
func lockDir(path string) (unlock func(), err error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return func() { _ = dir.Close() }, nil // nothing was written through it
}

// noSpace gives a full disk its kind.
func noSpace(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return renga.Errorf(renga.NoSpace, "The disk is full: no key could be written. Free some space and try again. (%w)",
			err)
	}
	return err
}
