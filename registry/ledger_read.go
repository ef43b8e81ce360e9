package registry

import (
	"context"
	"errors"
	"fmt"
	"io"

	"renga"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Flaw says what is wrong with one version of a chain: content altered, missing,
// sealed otherwise, or not fitting the version before it. A disk that cannot be
// read is no Flaw.
type Flaw struct {
	Version int // 0 when the index itself cannot be read
	Err     error
}

// Error is, for instance, "v7: blob sha256:… is 10 bytes long, want 12".
func (f *Flaw) Error() string {
	if f.Version == 0 {
		return f.Err.Error()
	}
	return renga.VersionName(f.Version) + ": " + f.Err.Error()
}

// Unwrap gives what is wrong.
func (f *Flaw) Unwrap() error { return f.Err }

// BadVersion is the version of the release that is bad. Other rooms ask for it by
// this method.
func (f *Flaw) BadVersion() int { return f.Version }

func flawf(format string, args ...any) error { return &Flaw{Err: fmt.Errorf(format, args...)} }

// inVersion gives a flaw its version; other errors get it as a prefix.
func inVersion(version int, err error) error {
	var flaw *Flaw
	switch {
	case err == nil:
		return nil
	case errors.As(err, &flaw):
		return &Flaw{Version: version, Err: flaw.Err}
	}
	return fmt.Errorf("%s: %w", renga.VersionName(version), err)
}

// Get reads the release of that digest, and checks everything on the way:
// index, artifact and sealed document must have their digests, the document
// must open, and it must say the same as the index. If not, the error is a
// [*Flaw]. It does not read images, as Verify does. A digest that names nothing
// is renga.NotFound.
func (l *Ledger) Get(ctx context.Context, app renga.App, digest string) (renga.Release, error) {
	if !renga.ValidDigest(digest) {
		return renga.Release{}, fmt.Errorf("read a release of app %s: %q is no digest", app.Name, digest)
	}
	r, _, err := l.read(ctx, digest)
	if err == nil && r.App != app.ID {
		err = inVersion(r.Version, flawf("it belongs to the app with id %s", r.App))
	}
	if errors.Is(err, errLedgerNoIndex) {
		return renga.Release{}, renga.Errorf(renga.NotFound, "The registry holds no release %s of app %s.", digest, app.Name)
	}
	if err != nil {
		return renga.Release{}, fmt.Errorf("read release %s of app %s: %w", digest, app.Name, err)
	}
	return r, nil
}

var (
	// errLedgerNoIndex is the flaw of a digest that names no blob at all.
	errLedgerNoIndex = errors.New("its index is missing")
	errLedgerMissing = errors.New("is missing")
)

// read reads and checks the release whose index has that digest.
func (l *Ledger) read(ctx context.Context, id string) (renga.Release, ledgerIndex, error) {
	content, err := l.blob(ctx, v1.Descriptor{Digest: digest.Digest(id), Size: -1})
	if errors.Is(err, errLedgerMissing) {
		err = flawf("%w: %s", errLedgerNoIndex, id)
	}
	if err != nil {
		return renga.Release{}, ledgerIndex{}, err
	}
	x, err := parseLedgerIndex(content)
	if err != nil {
		return renga.Release{}, x, inVersion(x.Version, err)
	}
	r, err := l.open(ctx, x)
	if err == nil {
		err = x.agrees(r)
	}
	r.Digest = id
	return r, x, inVersion(x.Version, err)
}

// open reads the document that an index names.
func (l *Ledger) open(ctx context.Context, x ledgerIndex) (renga.Release, error) {
	manifest, err := l.blob(ctx, x.Artifact)
	if err != nil {
		return renga.Release{}, err
	}
	layer, err := parseLedgerArtifact(manifest)
	if err != nil {
		return renga.Release{}, err
	}
	sealed, err := l.blob(ctx, layer)
	if err != nil {
		return renga.Release{}, err
	}
	plain, err := l.sealer.Open(sealed, ledgerBinding(x))
	if err != nil {
		return renga.Release{}, flawf("open the sealed document %s: %w", layer.Digest, err)
	}
	return parseLedgerDocument(plain)
}

// blob reads a small blob and checks its digest, and its size unless that is
// below zero.
func (l *Ledger) blob(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	if err := l.sized(ctx, d); err != nil {
		return nil, err
	}
	content, err := l.blobs.Get(ctx, d.Digest)
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", d.Digest, err)
	}
	if got := d.Digest.Algorithm().FromBytes(content); got != d.Digest {
		return nil, flawf("blob %s was altered: its content is now %s", d.Digest, got)
	}
	return content, nil
}

// hash reads a blob of any size and checks its digest.
func (l *Ledger) hash(ctx context.Context, d v1.Descriptor) error {
	if err := l.sized(ctx, d); err != nil {
		return err
	}
	file, err := l.blobs.Open(ctx, d.Digest)
	if err != nil {
		return fmt.Errorf("read blob %s: %w", d.Digest, err)
	}
	defer func() { _ = file.Close() }() // read only, and distribution's Close always answers "closed"
	digester := d.Digest.Algorithm().Digester()
	if _, err := io.Copy(digester.Hash(), file); err != nil {
		return fmt.Errorf("read blob %s: %w", d.Digest, err)
	}
	if got := digester.Digest(); got != d.Digest {
		return flawf("blob %s was altered: its content is now %s", d.Digest, got)
	}
	return nil
}

// sized checks that a blob exists and has its size.
func (l *Ledger) sized(ctx context.Context, d v1.Descriptor) error {
	if err := d.Digest.Validate(); err != nil {
		return flawf("blob %q: %w", d.Digest, err)
	}
	got, err := l.sizes.Stat(ctx, d.Digest)
	switch {
	case errors.Is(err, distribution.ErrBlobUnknown):
		return flawf("blob %s %w", d.Digest, errLedgerMissing)
	case err != nil:
		return fmt.Errorf("read blob %s: %w", d.Digest, err)
	case d.Size >= 0 && got.Size != d.Size:
		return flawf("blob %s is %d bytes long, want %d", d.Digest, got.Size, d.Size)
	case got.Size > ledgerMaxBlob && d.Size < 0:
		return flawf("blob %s is %d bytes long, too long for a manifest", d.Digest, got.Size)
	}
	return nil
}

// ledgerMaxBlob bounds manifests and documents, in bytes, as distribution does.
const ledgerMaxBlob = 4 << 20
