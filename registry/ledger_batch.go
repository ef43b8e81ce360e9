package registry

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"golang.org/x/sync/errgroup"

	"renga/durable"
)

// ledgerFiles are the operations of a batch on the disk.
type ledgerFiles interface {
	Mkdir(path string) error
	// Create makes a file and returns once its content is on the disk.
	Create(path string, content []byte) error
	Rename(from, to string) error
	// SyncDir returns once the directory's entries are on the disk.
	SyncDir(path string) error
	Remove(path string) error
}

// ledgerSyncs bounds the syncs under way at once: many at a time cost a
// journalling file system little more than one.
const ledgerSyncs = 16

// ledgerBatch is a storage driver that keeps what is written through it in
// memory until commit; reads see it already. So distribution's storage lays out
// and checks a release as always, and the disk gets a few ordered steps.
//
// The filesystem driver alone would sync twice for each of the eight files of a
// release, one after the other, and never a directory that it made. A batch
// syncs all files at once, then renames stage by stage; a stage starts when the
// one before it, new directories included, would survive a power loss. So no
// name ever points to content that is not whole, whether the process or the
// machine dies, and what is left has no name.
type ledgerBatch struct {
	storagedriver.StorageDriver
	root    string
	files   ledgerFiles
	use     *usage // is told what was written
	content map[string][]byte
	stages  [][]string // paths in the order they were written

	temps map[string]string // path to the file that becomes it
	made  map[string]bool   // directories with new subdirectories
}

func newLedgerBatch(driver storagedriver.StorageDriver, root string, files ledgerFiles, use *usage) *ledgerBatch {
	return &ledgerBatch{
		StorageDriver: driver, root: root, files: files, use: use,
		content: map[string][]byte{}, stages: [][]string{nil},
		temps: map[string]string{}, made: map[string]bool{},
	}
}

// next starts a new stage: what follows appears after all that came before.
func (b *ledgerBatch) next() { b.stages = append(b.stages, nil) }

// PutContent keeps the content for commit.
func (b *ledgerBatch) PutContent(_ context.Context, path string, content []byte) error {
	if _, again := b.content[path]; !again {
		last := len(b.stages) - 1
		b.stages[last] = append(b.stages[last], path)
	}
	b.content[path] = bytes.Clone(content)
	return nil
}

// GetContent reads the batch, or else the disk.
func (b *ledgerBatch) GetContent(ctx context.Context, path string) ([]byte, error) {
	if content, ok := b.content[path]; ok {
		return bytes.Clone(content), nil
	}
	return b.StorageDriver.GetContent(ctx, path)
}

// Reader reads the batch, or else the disk.
func (b *ledgerBatch) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	content, ok := b.content[path]
	if !ok {
		return b.StorageDriver.Reader(ctx, path, offset)
	}
	if offset < 0 || offset > int64(len(content)) {
		return nil, storagedriver.InvalidOffsetError{Path: path, Offset: offset}
	}
	return io.NopCloser(bytes.NewReader(content[offset:])), nil
}

// Stat looks in the batch, or else on the disk.
func (b *ledgerBatch) Stat(ctx context.Context, path string) (storagedriver.FileInfo, error) {
	content, ok := b.content[path]
	if !ok {
		return b.StorageDriver.Stat(ctx, path)
	}
	return storagedriver.FileInfoInternal{FileInfoFields: storagedriver.FileInfoFields{
		Path: path, Size: int64(len(content)),
	}}, nil
}

// Writer is an error: it would bypass the batch.
func (b *ledgerBatch) Writer(_ context.Context, path string, _ bool) (storagedriver.FileWriter, error) {
	return nil, fmt.Errorf("write %s: not in a batch", path)
}

// Move is an error: it would bypass the batch.
func (b *ledgerBatch) Move(_ context.Context, from, _ string) error {
	return fmt.Errorf("move %s: not in a batch", from)
}

// Delete is an error: it would bypass the batch.
func (b *ledgerBatch) Delete(_ context.Context, path string) error {
	return fmt.Errorf("delete %s: not in a batch", path)
}

// commit writes the batch to the disk, and returns nil once it would survive a
// power loss. After an error the stages up to some point are written.
func (b *ledgerBatch) commit() error {
	defer b.sweep()
	if err := b.create(); err != nil {
		return err
	}
	for _, paths := range b.stages {
		if err := b.appear(paths); err != nil {
			return err
		}
	}
	for path := range b.content {
		b.use.note(path)
	}
	return nil
}

// create writes every file under a temporary name beside its own.
func (b *ledgerBatch) create() error {
	for path := range b.content {
		full := filepath.Join(b.root, path)
		if err := b.mkdir(filepath.Dir(full)); err != nil {
			return err
		}
		b.temps[path] = full + "." + rand.Text() + ".tmp"
	}
	var all errgroup.Group
	all.SetLimit(ledgerSyncs)
	for path, content := range b.content {
		all.Go(func() error { return b.files.Create(b.temps[path], content) })
	}
	return all.Wait()
}

// mkdir makes a directory with its parents and notes whose entries are new.
func (b *ledgerBatch) mkdir(dir string) error {
	err := b.files.Mkdir(dir)
	parent := filepath.Dir(dir)
	if errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := b.mkdir(parent); err != nil {
			return err
		}
		err = b.files.Mkdir(dir)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err == nil:
		b.made[parent] = true
	}
	return err
}

// appear gives the files of one stage their names and syncs the directories.
func (b *ledgerBatch) appear(paths []string) error {
	dirs := map[string]bool{}
	for _, path := range paths {
		full := filepath.Join(b.root, path)
		if err := b.files.Rename(b.temps[path], full); err != nil {
			return err
		}
		delete(b.temps, path)
		for dir := filepath.Dir(full); !dirs[dir]; dir = filepath.Dir(dir) {
			dirs[dir] = true
			if !b.made[filepath.Dir(dir)] {
				break
			}
		}
	}
	var all errgroup.Group
	all.SetLimit(ledgerSyncs)
	for dir := range dirs {
		all.Go(func() error { return b.files.SyncDir(dir) })
	}
	return all.Wait()
}

// sweep removes the temporary files that an error left.
func (b *ledgerBatch) sweep() {
	for _, temp := range b.temps {
		_ = b.files.Remove(temp) // it may never have been made; nothing names it
	}
}

// ledgerOS is the real disk.
type ledgerOS struct{}

func (ledgerOS) Mkdir(path string) error      { return os.Mkdir(path, 0o777) }
func (ledgerOS) Rename(from, to string) error { return os.Rename(from, to) }
func (ledgerOS) Remove(path string) error     { return os.Remove(path) }

func (ledgerOS) Create(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func (ledgerOS) SyncDir(path string) error { return durable.SyncDir(path) }
