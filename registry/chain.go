package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"renga"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Chain reads an app's releases in order, from v1 as long as each follows the
// one before: the next number, the same app, its digest as previous. An app
// without releases is no error.
//
// If a release is damaged, missing, or does not follow, the error is a [*Flaw]
// that names it, and the releases before it are returned, too. A newest release
// that does not follow comes from a crash in which the store lost its last
// second; one that cannot be opened needs a person.
func (l *Ledger) Chain(ctx context.Context, appName string) ([]renga.Release, error) {
	var chain []renga.Release
	err := l.walk(ctx, appName, func(r renga.Release, _ ledgerIndex) error {
		chain = append(chain, r)
		return nil
	})
	if err != nil {
		err = fmt.Errorf("read the chain of app %s: %w", appName, err)
	}
	return chain, err
}

// Verify reads all that an app's releases name, every byte of every layer, and
// returns how many versions are good, counted from v1. The error is a [*Flaw]
// that names the first bad version and what is wrong with it, or NotFound when
// the app has no releases.
func (l *Ledger) Verify(ctx context.Context, appName string) (good int, err error) {
	check, err := l.newLedgerCheck(ctx, appName)
	if err != nil {
		return 0, fmt.Errorf("verify app %s: %w", appName, err)
	}
	err = l.walk(ctx, appName, func(r renga.Release, x ledgerIndex) error {
		if err := check.checkRelease(ctx, r, x); err != nil {
			return err
		}
		good++
		return nil
	})
	switch {
	case err != nil:
		return good, fmt.Errorf("verify app %s: %w", appName, err)
	case good == 0:
		return 0, renga.Errorf(renga.NotFound, "The registry holds no releases of app %s.", appName)
	}
	return good, nil
}

// walk visits an app's releases from v1 on, by their tags, until one does not
// follow or yield fails.
func (l *Ledger) walk(ctx context.Context, appName string, yield func(renga.Release, ledgerIndex) error) error {
	repository, err := l.repository(ctx, appName)
	if err != nil {
		return err
	}
	newest, err := newestVersion(ctx, repository)
	if err != nil {
		return err
	}
	var before renga.Release
	for n := 1; n <= newest; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, x, err := l.readVersion(ctx, repository, n)
		if err == nil {
			err = follows(before, r, n)
		}
		if err == nil {
			err = yield(r, x)
		}
		if err != nil {
			return inVersion(n, err)
		}
		before = r
	}
	return nil
}

// readVersion reads what the tag of version n names.
func (l *Ledger) readVersion(ctx context.Context, repository distribution.Repository,
	n int) (renga.Release, ledgerIndex, error) {
	named, err := repository.Tags(ctx).Get(ctx, renga.VersionName(n))
	var unknown distribution.ErrTagUnknown
	switch {
	case errors.As(err, &unknown):
		return renga.Release{}, ledgerIndex{}, flawf("it is missing, though later ones are there")
	case ledgerBadLink(err):
		return renga.Release{}, ledgerIndex{}, flawf("its tag names no digest: %w", err)
	case err != nil:
		return renga.Release{}, ledgerIndex{}, err
	}
	return l.read(ctx, named.Digest.String())
}

// follows tells what is wrong with r as version n after before.
func follows(before, r renga.Release, n int) error {
	switch {
	case r.Version != n:
		return flawf("its tag names %s", r.Name())
	case n > 1 && r.App != before.App:
		return flawf("it belongs to the app with id %s, the one before it to %s", r.App, before.App)
	case r.Previous != before.Digest:
		return flawf("it follows %s, but %s is %s", r.Previous, renga.VersionName(n-1), before.Digest)
	}
	return nil
}

// newestVersion is the highest number that a tag names; 0 when there is none. A
// tag's directory without a link was left by a crash, and is no tag.
func newestVersion(ctx context.Context, repository distribution.Repository) (int, error) {
	tags := repository.Tags(ctx)
	names, err := tags.All(ctx)
	var none distribution.ErrRepositoryUnknown
	if errors.As(err, &none) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var versions []int
	for _, name := range names {
		if n, err := strconv.Atoi(strings.TrimPrefix(name, "v")); err == nil && n > 0 && renga.VersionName(n) == name {
			versions = append(versions, n)
		}
	}
	slices.Sort(versions)
	for _, n := range slices.Backward(versions) {
		_, err := tags.Get(ctx, renga.VersionName(n))
		var unknown distribution.ErrTagUnknown
		if !errors.As(err, &unknown) {
			return n, nil // a tag that cannot be read is found out when its turn comes
		}
	}
	return 0, nil
}

// ledgerCheck reads what releases name. They share most of it, so it reads
// nothing twice in a walk.
type ledgerCheck struct {
	*Ledger
	blobs     distribution.BlobStatter // of the repository
	manifests distribution.ManifestService
	seen      map[digest.Digest]bool
	expired   map[string]bool // images that old releases may have lost
}

func (l *Ledger) newLedgerCheck(ctx context.Context, appName string) (*ledgerCheck, error) {
	repository, err := l.repository(ctx, appName)
	if err != nil {
		return nil, err
	}
	manifests, err := repository.Manifests(ctx)
	if err != nil {
		return nil, err
	}
	expired, err := l.expired(appName)
	return &ledgerCheck{
		Ledger: l, blobs: repository.Blobs(ctx), manifests: manifests, seen: map[digest.Digest]bool{}, expired: expired,
	}, err
}

// checkRelease checks everything that a release names; walk has opened its document.
func (c *ledgerCheck) checkRelease(ctx context.Context, r renga.Release, x ledgerIndex) error {
	if err := c.linked(ctx, digest.Digest(r.Digest)); err != nil {
		return err
	}
	if err := c.manifest(ctx, x.Artifact); err != nil {
		return err
	}
	for _, t := range slices.Sorted(maps.Keys(x.Images)) {
		gone, err := c.gone(ctx, x.Images[t].Digest)
		if err == nil && !gone {
			err = c.manifest(ctx, x.Images[t])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// gone tells whether an old release has lost an image as it was meant to.
func (c *ledgerCheck) gone(ctx context.Context, d digest.Digest) (bool, error) {
	if !c.expired[d.String()] {
		return false, nil
	}
	linked, err := c.manifests.Exists(ctx, d)
	if ledgerBadLink(err) {
		return false, nil
	}
	return err == nil && !linked, err
}

// manifest checks a manifest and its parts: bytes, and that the repository
// hands them out.
func (c *ledgerCheck) manifest(ctx context.Context, d v1.Descriptor) error {
	if c.seen[d.Digest] {
		return nil
	}
	content, err := c.blob(ctx, d)
	if err != nil {
		return err
	}
	if err := c.linked(ctx, d.Digest); err != nil {
		return err
	}
	found, err := ledgerManifest(content)
	if err != nil {
		return flawf("manifest %s: %w", d.Digest, err)
	}
	for _, part := range found.manifest.References() {
		if err := c.part(ctx, part); err != nil {
			return err
		}
	}
	c.seen[d.Digest] = true
	return nil
}

// part checks a config or a layer.
func (c *ledgerCheck) part(ctx context.Context, d v1.Descriptor) error {
	if c.seen[d.Digest] {
		return nil
	}
	if err := c.hash(ctx, d); err != nil {
		return err
	}
	_, err := c.blobs.Stat(ctx, d.Digest)
	if errors.Is(err, distribution.ErrBlobUnknown) || ledgerBadLink(err) {
		return flawf("blob %s is not linked into the repository", d.Digest)
	}
	c.seen[d.Digest] = err == nil
	return err
}

// linked checks that the repository hands a manifest out.
func (c *ledgerCheck) linked(ctx context.Context, d digest.Digest) error {
	linked, err := c.manifests.Exists(ctx, d)
	if err == nil && !linked || ledgerBadLink(err) {
		return flawf("manifest %s is not linked into the repository", d)
	}
	return err
}
