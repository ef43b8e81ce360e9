package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"renga"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/storage"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/distribution/reference"
)

// Sealer encrypts a release's document and binds it to its place in the chain.
// Open fails if it was altered or sealed with other associated data.
type Sealer interface {
	Seal(plain, associated []byte) ([]byte, error)
	Open(sealed, associated []byte) ([]byte, error)
}

// Ledger keeps releases as content of the registry, in the repository
// "<app>/releases". A release is an OCI image index, tagged "vN":
//
//	index             annotations: app, version, when, digest of v(N-1)
//	├── manifest      the image of one process type, as it was pushed
//	├── manifest      …
//	└── manifest      the artifact
//	    ├── {}
//	    └── layer     the sealed document: config vars, credentials, commands, who, why
//
// So a release's digest covers everything, digests link the releases, and a
// backup of the registry is a backup of the ledger. Images are linked into the
// repository, not copied.
//
// A ledger works on the registry's files directly, beside the registry that
// serves them. Put may be called once at a time for an app; everything else at
// any time. What Put counts on is held by the ledger's [Gate].
type Ledger struct {
	dir    string
	gate   *Gate
	sealer Sealer
	driver storagedriver.StorageDriver
	files  ledgerFiles
	ns     distribution.Namespace
	blobs  distribution.BlobProvider // all blobs, whatever repository links them
	sizes  distribution.BlobStatter
}

// OpenLedger opens the ledger in dir, the root directory of the registry's
// storage. The directory is made when there is none.
func OpenLedger(dir string, s Sealer) (*Ledger, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	driver := filesystem.New(filesystem.DriverParameters{RootDirectory: dir, MaxThreads: 100})
	ns, err := ledgerNamespace(driver)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	blobs, ok := ns.Blobs().(distribution.BlobProvider)
	if !ok {
		return nil, fmt.Errorf("open ledger: %T gives no blobs", ns.Blobs())
	}
	return &Ledger{
		dir: dir, gate: newGate(dir), sealer: s, driver: driver, files: ledgerOS{}, ns: ns, blobs: blobs,
		sizes: ns.BlobStatter(),
	}, nil
}

// Gate is what a registry in the same directory must be made with if content is
// ever collected there.
func (l *Ledger) Gate() *Gate { return l.gate }

// Apps lists the names of the apps that have a repository of releases, in order.
func (l *Ledger) Apps(ctx context.Context) ([]string, error) {
	repositories, ok := l.ns.(distribution.RepositoryEnumerator)
	if !ok {
		return nil, fmt.Errorf("list apps of the ledger: %T lists no repositories", l.ns)
	}
	var apps []string
	err := repositories.Enumerate(ctx, func(name string) error {
		app, last, _ := strings.Cut(name, "/")
		if last == "releases" && !l.moving(app) {
			apps = append(apps, app)
		}
		return nil
	})
	if err != nil && !ledgerNoPath(err) { // no path: nothing was ever pushed
		return nil, fmt.Errorf("list apps of the ledger: %w", err)
	}
	slices.Sort(apps)
	return apps, nil
}

// moving tells whether a name is only a link to where the repositories are: a
// rename to it was begun.
func (l *Ledger) moving(app string) bool {
	info, err := os.Lstat(filepath.Join(l.dir, repositoryDir(app)))
	return err == nil && info.Mode()&os.ModeSymlink != 0
}

// Remove removes all releases of an app. Blobs that only they named stay until
// they are swept. It is no error when there are none.
func (l *Ledger) Remove(ctx context.Context, appName string) error {
	name, err := ledgerRepository(appName)
	if err != nil {
		return fmt.Errorf("remove releases: %w", err)
	}
	remover, ok := l.ns.(distribution.RepositoryRemover)
	if !ok {
		return fmt.Errorf("remove releases of app %s: %T removes no repositories", appName, l.ns)
	}
	defer l.gate.use.forget(appName)
	if err := remover.Remove(ctx, name); err != nil && !ledgerNoPath(err) {
		return fmt.Errorf("remove releases of app %s: %w", appName, err)
	}
	return nil
}

// repository gives the app's repository of releases.
func (l *Ledger) repository(ctx context.Context, appName string) (distribution.Repository, error) {
	name, err := ledgerRepository(appName)
	if err != nil {
		return nil, err
	}
	return l.ns.Repository(ctx, name)
}

// ledgerNamespace is distribution's storage over a driver. It is cheap, and has
// no cache: it sees at once what other writers change.
func ledgerNamespace(driver storagedriver.StorageDriver) (distribution.Namespace, error) {
	return storage.NewRegistry(context.Background(), driver, storage.EnableDelete,
		storage.EnableValidateImageIndexImagesExist)
}

// ledgerRepository is the name of an app's repository of releases. It is an
// error if no app can have that name, for it becomes a path.
func ledgerRepository(appName string) (reference.Named, error) {
	if err := renga.ValidateAppName(appName); err != nil {
		return nil, err
	}
	return reference.WithName(appName + "/releases")
}

// ledgerNoPath tells whether err says that a file or directory is not there.
func ledgerNoPath(err error) bool {
	var none storagedriver.PathNotFoundError
	return errors.As(err, &none)
}

// ledgerNoSpace gives a full disk its kind.
func ledgerNoSpace(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return renga.Errorf(renga.NoSpace, "The disk is full: the release could not be written, and nothing was changed. "+
			"Free some space and try again. (%w)", err)
	}
	return err
}
