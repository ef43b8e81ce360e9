package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/accounts"
	"renga/durable"
)

// dataVersion is the layout of the data directory that this binary writes.
const dataVersion = 1

// platformFile says whose data directory it is.
type platformFile struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	// Adopted is set once Redis knows the platform. From then on an empty Redis
	// is one that lost its data.
	Adopted bool `json:"adopted"`
}

// operatorFile is the first account. It is kept beside the data, readable by
// its owner only, so that the token can be shown again and the account
// survives the loss of Redis, which holds no token but their hashes.
type operatorFile struct {
	ID      string    `json:"id"`
	Email   string    `json:"email"`
	Token   string    `json:"token"`
	Created time.Time `json:"created_at"`
}

func (o operatorFile) account() renga.Account {
	return renga.Account{ID: renga.AccountID(o.ID), Email: o.Email, CreatedAt: o.Created, UpdatedAt: o.Created}
}

// data is a data directory that this process holds.
type data struct {
	dir      string
	lock     *os.File
	platform platformFile
	operator operatorFile
	secret   []byte // signs upload state
	// streamKey signs the URLs of streams.
	streamKey []byte
}

// openData takes the data directory for this process alone and makes what is
// missing in it.
func openData(s Settings) (*data, error) {
	if err := writable(s.Data); err != nil {
		return nil, err
	}
	lock, err := lockDir(s.Data)
	if err != nil {
		return nil, err
	}
	d := &data{dir: s.Data, lock: lock}
	if err := d.load(s); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return d, nil
}

func (d *data) load(s Settings) (err error) {
	d.platform, err = loadOrMake(s.path("platform.json"), func() platformFile {
		return platformFile{ID: uuid.NewString(), Version: dataVersion}
	})
	if err != nil {
		return err
	}
	if d.platform.Version > dataVersion {
		return fmt.Errorf("the data directory %s was written by a newer Renga (layout %d, this one knows %d): "+
			"start that one, or restore a backup", d.dir, d.platform.Version, dataVersion)
	}
	d.operator, err = loadOrMake(s.path("operator.json"), func() operatorFile {
		return operatorFile{ID: uuid.NewString(), Email: s.OwnerEmail, Token: accounts.NewToken(), Created: time.Now().UTC()}
	})
	if err != nil {
		return err
	}
	secret, err := loadOrMake(s.path("keys", "upload.json"), accounts.NewToken)
	if err != nil {
		return err
	}
	d.secret = []byte(secret)
	streamKey, err := loadOrMake(s.path("keys", "streams.json"), accounts.NewToken)
	d.streamKey = []byte(streamKey)
	return err
}

// adopted notes that Redis knows the platform.
func (d *data) adopted() error {
	if d.platform.Adopted {
		return nil
	}
	d.platform.Adopted = true
	return writeJSON(filepath.Join(d.dir, "platform.json"), d.platform)
}

// Close gives the directory back.
func (d *data) Close() error { return d.lock.Close() }

// writable makes the directory and writes a file into it, so that a read-only
// or foreign directory is found out at the start and not at the first push.
func writable(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(dir, ".probe-*"); err == nil {
			err = errors.Join(f.Close(), os.Remove(f.Name()))
		}
	}
	if err != nil {
		return fmt.Errorf("the data directory %s cannot be written: %w; make it writable for this user, or choose another with --data", dir, err)
	}
	return nil
}

// lockDir holds the directory until the process ends, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = fmt.Errorf("another Renga runs on the data directory %s: stop it first, or choose another with --data", dir)
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// loadOrMake reads a JSON file, or makes it, readable by the owner only, when
// there is none.
func loadOrMake[T any](path string, makeIt func() T) (T, error) {
	v, err := loadJSON[T](path)
	if errors.Is(err, fs.ErrNotExist) {
		v = makeIt()
		err = writeJSON(path, v)
	}
	return v, err
}

func loadJSON[T any](path string) (T, error) {
	var v T
	b, err := os.ReadFile(path)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("%s is damaged (%w): restore it from a backup", path, err)
	}
	return v, nil
}

// writeJSON replaces a file as a whole and has it on the disk when it returns. One
// that holds the same already is left as it is: the disk may be full.
func writeJSON(path string, v any) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if now, err := os.ReadFile(path); err == nil && bytes.Equal(now, b) {
		return nil
	}
	return durable.WriteFile(path, b, 0o600)
}
