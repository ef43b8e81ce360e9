package registry

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/factory"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"

	"renga/durable"
	"renga/locks"
)

// uploadDriverName is how distribution's configuration names our driver.
const uploadDriverName = "renga"

// registerUploadDriver makes the driver known to distribution. Its table of
// drivers is global and panics on a second entry, hence the once.
var registerUploadDriver = sync.OnceFunc(func() {
	factory.Register(uploadDriverName, givenDriver{})
})

// givenDriver hands out the driver that the configuration holds.
type givenDriver struct{}

// Create gives the parameter "instance".
func (givenDriver) Create(_ context.Context, p map[string]any) (storagedriver.StorageDriver, error) {
	d, ok := p["instance"].(*uploadDriver)
	if !ok {
		return nil, errors.New("the storage driver renga needs its instance")
	}
	return d, nil
}

// uploadDriver is distribution's filesystem driver, except for uploads under
// way. The original syncs every small file and every chunk of an upload, some
// 15 times per blob. Nobody needs an upload before it is committed, so this
// driver syncs it once, when it is committed and new: the data before its rename, the
// directory after it. It changes nothing outside _uploads.
//
// A power loss may leave a torn upload. The original would trust its saved hash
// states; this driver hides those of an earlier process, so that resumed data
// is hashed anew.
type uploadDriver struct {
	*filesystem.Driver
	root   string
	opened time.Time
	use    *usage // is told what was written and removed
	moves  locks.Named
}

func newUploadDriver(root string, use *usage) *uploadDriver {
	inner := filesystem.New(filesystem.DriverParameters{RootDirectory: root, MaxThreads: 100})
	return &uploadDriver{Driver: inner, root: root, opened: time.Now(), use: use}
}

const (
	uploadsDir    = "/_uploads/"
	hashStatesDir = "/hashstates/"
)

// PutContent writes a small file; those of an upload are not synced. A hash
// state that cannot be written is no error: it only saves work, and
// distribution would not close the upload's data then, which would go on
// filling the disk after its deletion.
func (d *uploadDriver) PutContent(ctx context.Context, path string, content []byte) error {
	if !strings.Contains(path, uploadsDir) {
		err := d.Driver.PutContent(ctx, path, content)
		if err == nil {
			d.use.note(path)
		}
		return err
	}
	err := d.putUnsynced(path, content)
	if err != nil && strings.Contains(path, hashStatesDir) {
		// Nobody may find half a hash state; none is fine.
		if err := os.Remove(d.file(path)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	return err
}

func (d *uploadDriver) putUnsynced(path string, content []byte) error {
	f, err := d.create(path, os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// Writer opens a file for writing; an upload's is synced only at its commit.
func (d *uploadDriver) Writer(ctx context.Context, path string, resume bool) (storagedriver.FileWriter, error) {
	if !strings.Contains(path, uploadsDir) {
		return d.Driver.Writer(ctx, path, resume)
	}
	flag := os.O_TRUNC
	if resume {
		flag = 0
	}
	f, err := d.create(path, flag)
	if err != nil {
		return nil, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &uploadWriter{f: f, buf: bufio.NewWriterSize(f, 64<<10), size: size, path: path, use: d.use}, nil
}

// Move gives the data of an upload the name of their content, and makes both durable: a
// blob whose push was acknowledged must lose neither. Content that another upload brought
// sooner is dropped, and was never synced: of 16 pushes at once that share a layer, 15
// would write it to the disk for nothing.
func (d *uploadDriver) Move(ctx context.Context, from, to string) error {
	defer d.moves.Lock(to)()
	if _, err := os.Stat(d.file(to)); err == nil && strings.Contains(from, uploadsDir) {
		return d.Delete(ctx, from)
	}
	if err := syncFile(d.file(from)); err != nil {
		return err
	}
	if err := d.Driver.Move(ctx, from, to); err != nil {
		return err
	}
	d.use.removed(from)
	return durable.SyncDir(filepath.Dir(d.file(to)))
}

// syncFile returns once a file's content is on the disk. One that is not there is for
// others to miss.
func syncFile(name string) error {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Delete removes a file, or a directory with all that is in it.
func (d *uploadDriver) Delete(ctx context.Context, path string) error {
	defer d.use.removed(path)
	return d.Driver.Delete(ctx, path)
}

// List leaves out the hash states that an earlier process wrote.
func (d *uploadDriver) List(ctx context.Context, path string) ([]string, error) {
	names, err := d.Driver.List(ctx, path)
	if err != nil || !strings.Contains(path, hashStatesDir) {
		return names, err
	}
	fresh := names[:0]
	for _, name := range names {
		if info, err := os.Stat(d.file(name)); err == nil && info.ModTime().After(d.opened) {
			fresh = append(fresh, name)
		}
	}
	return fresh, nil
}

// create opens a file for writing, with the directories above it.
func (d *uploadDriver) create(path string, flag int) (*os.File, error) {
	name := d.file(path)
	flag |= os.O_WRONLY | os.O_CREATE
	f, err := os.OpenFile(name, flag, 0o600)
	if !errors.Is(err, os.ErrNotExist) {
		return f, err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(name, flag, 0o600)
}

// file is the file of a path of distribution's.
func (d *uploadDriver) file(path string) string { return filepath.Join(d.root, path) }

const storageRoot = "/docker/registry/v2"

// asideDir is where a collection puts what it removes. It is on the same file system.
func (r *Registry) asideDir() string { return r.driver.file("/removed") }

// repositoryDir is the path of everything that a repository, or all of an
// app's, links to.
func repositoryDir(name string) string { return storageRoot + "/repositories/" + name }

// layerLink is the path of the file that says that a repository has a blob.
func layerLink(repository, hex string) string {
	return repositoryDir(repository) + "/_layers/sha256/" + hex + "/link"
}

// blobData is the path of a blob's content, shared by all repositories.
func blobData(hex string) string {
	return storageRoot + "/blobs/sha256/" + hex[:2] + "/" + hex + "/data"
}

// uploadData is the path of what an upload has received so far.
func uploadData(repository, id string) string {
	return repositoryDir(repository) + "/_uploads/" + id + "/data"
}

// uploadWriter writes an upload's data; see storagedriver.FileWriter.
type uploadWriter struct {
	f    *os.File
	buf  *bufio.Writer
	size int64
	done bool // committed: flushed
	shut bool
	path string
	use  *usage // is told the size
}

// Write appends to the upload.
func (w *uploadWriter) Write(p []byte) (int, error) {
	if w.done || w.shut {
		return 0, fmt.Errorf("write upload %s: already closed", w.f.Name())
	}
	n, err := w.buf.Write(p)
	w.size += int64(n)
	w.use.received(w.path, w.size)
	return n, err
}

// Size is what the upload holds by now, with what earlier requests sent.
func (w *uploadWriter) Size() int64 { return w.size }

// Close ends a request, not the upload.
func (w *uploadWriter) Close() error {
	if w.shut {
		return fmt.Errorf("close upload %s: already closed", w.f.Name())
	}
	w.shut = true
	var err error
	if !w.done {
		err = w.buf.Flush()
	}
	return errors.Join(err, w.f.Close())
}

// Cancel gives the upload up.
func (w *uploadWriter) Cancel(context.Context) error {
	w.shut = true
	w.use.removed(w.path)
	return errors.Join(w.f.Close(), os.Remove(w.f.Name()))
}

// Commit ends the writing. The data are made durable by the Move that follows.
func (w *uploadWriter) Commit(context.Context) error {
	if err := w.buf.Flush(); err != nil {
		return err
	}
	w.done = true
	return nil
}
