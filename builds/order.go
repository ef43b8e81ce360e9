package builds

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"renga"
)

// Start asks for a build of an archive, a tar or one compressed by gzip. It is done later;
// the record says how far it is.
func (m *Builds) Start(ctx context.Context, order renga.BuildOrder, source io.Reader) (renga.Build, error) {
	app, err := m.platform.App(ctx, order.App)
	if err != nil {
		return renga.Build{}, err
	}
	if err := app.Permit(order.By, renga.MayDeploy); err != nil {
		return renga.Build{}, err
	}
	if err := m.CheckSpace(); err != nil {
		return renga.Build{}, err
	}
	now := m.Now().UTC()
	b := renga.Build{
		ID: uuid.NewString(), App: app.ID, By: order.By, State: renga.BuildPending, Source: order.Source,
		Replaces: order.Replaces, Builder: m.Builder, Buildpacks: app.Buildpacks, CreatedAt: now, UpdatedAt: now,
	}
	if len(order.Buildpacks) > 0 {
		b.Buildpacks = order.Buildpacks
	}
	m.own(b.ID)
	if err := m.keepSource(b, source); err != nil {
		return b, err
	}
	if b, err = m.add(ctx, b); err != nil {
		return b, errors.Join(err, m.dropSource(b.ID))
	}
	m.look()
	return b, nil
}

// add writes a build down whose source is kept.
func (m *Builds) add(ctx context.Context, b renga.Build) (renga.Build, error) {
	if b.Replaces {
		if err := m.replace(ctx, b.App); err != nil {
			return b, err
		}
	}
	return m.store.AddBuild(ctx, b)
}

// own notes that a build is not one of a Renga before this one.
func (m *Builds) own(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ours != nil {
		m.ours[id] = true
	}
}

// Build builds and waits until that is over. What is said meanwhile goes to output. The
// build goes on when ctx ends. The sentence of an error is for whoever waits.
func (m *Builds) Build(ctx context.Context, order renga.BuildOrder, source io.Reader, output io.Writer) (renga.Build, error) {
	b, err := m.Start(ctx, order, source)
	if err != nil {
		return b, err
	}
	if err := m.Follow(ctx, b, output); err != nil {
		return b, err
	}
	b, err = m.one(ctx, b.App, b.ID)
	if err == nil && b.State == renga.BuildFailed {
		err = renga.Errorf(renga.Invalid, "%s", b.Reason)
	}
	return b, err
}

// Follow writes what a build says, from its beginning until it is over.
func (m *Builds) Follow(ctx context.Context, b renga.Build, output io.Writer) error {
	return m.outputs.Follow(ctx, b.App, b.Number, output, func(ctx context.Context) (bool, error) {
		now, err := m.one(ctx, b.App, b.ID)
		return now.State.Over(), err
	})
}

// Cancel ends a build that is not over; renga.Conflict if it is.
func (m *Builds) Cancel(ctx context.Context, app renga.AppID, id string) (renga.Build, error) {
	return m.fail(ctx, app, id, "It was cancelled.")
}

// ForgetCache removes what is kept of an app between its builds. It is renga.Conflict while
// one is under way.
func (m *Builds) ForgetCache(ctx context.Context, app renga.AppID) error {
	return m.maker.Forget(ctx, app)
}

func (m *Builds) one(ctx context.Context, app renga.AppID, id string) (renga.Build, error) {
	all, err := m.store.Builds(ctx, app)
	if err != nil {
		return renga.Build{}, err
	}
	for _, b := range all {
		if b.ID == id {
			return b, nil
		}
	}
	return renga.Build{}, renga.Errorf(renga.NotFound, "There is no build %s.", id)
}

// replace ends the builds of an app that somebody waits for.
func (m *Builds) replace(ctx context.Context, app renga.AppID) error {
	all, err := m.store.Builds(ctx, app)
	if err != nil {
		return err
	}
	for _, b := range all {
		if b.State.Over() || !b.Replaces {
			continue
		}
		_, err := m.fail(ctx, app, b.ID, "A newer push took its place.")
		if err != nil && renga.KindOf(err) != renga.Conflict {
			return err
		}
	}
	return nil
}

// fail ends a build from outside, whether it waits or is under way. It is renga.Conflict
// if it is over.
func (m *Builds) fail(ctx context.Context, app renga.AppID, id, reason string) (renga.Build, error) {
	b, err := m.store.EditBuild(ctx, app, id, func(b *renga.Build) error {
		if b.State.Over() {
			return renga.Errorf(renga.Conflict, "This build is over.")
		}
		b.State, b.Reason, b.UpdatedAt = renga.BuildFailed, reason, m.Now().UTC()
		return nil
	})
	if err != nil {
		return b, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.running[app]; r != nil && r.build.ID == id {
		r.end(renga.Errorf(renga.Conflict, "%s", reason))
		return b, nil // whoever does it removes its source
	}
	return b, m.dropSource(id)
}

func (m *Builds) sourceFile(id string) string { return filepath.Join(m.Dir, id) }

func (m *Builds) dropSource(id string) error {
	if err := os.RemoveAll(m.sourceFile(id)); err != nil {
		return fmt.Errorf("remove the source of a build: %w", err)
	}
	return nil
}

// keepSource writes a source to the disk, and looks it through.
func (m *Builds) keepSource(b renga.Build, source io.Reader) (err error) {
	select {
	case m.arriving <- struct{}{}:
		defer func() { <-m.arriving }()
	default:
		return renga.Errorf(renga.TooMany, "Too much source code comes in just now; try again in a moment.")
	}
	file := m.sourceFile(b.ID)
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(file))
		}
	}()
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return fmt.Errorf("keep the source: %w", err)
	}
	sum, err := m.writeSource(file, source)
	if err != nil {
		return err
	}
	if kind, want, ok := strings.Cut(b.Source.Checksum, ":"); ok && (!strings.EqualFold(kind, "sha256") || !strings.EqualFold(want, sum)) {
		return renga.Errorf(renga.Invalid, "The archive's checksum is SHA256:%s, and not %s.", sum, renga.Clip(b.Source.Checksum, 100))
	}
	_, err = openArchive(file)
	return err
}

// writeSource gives the SHA-256 of what was written, in hex.
func (m *Builds) writeSource(file string, source io.Reader) (sum string, err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("keep the source: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, hash), io.LimitReader(source, m.MaxSource+1))
	switch {
	case n > m.MaxSource:
		return "", renga.Errorf(renga.Invalid, "The source has more than %d MB; leave out what is not needed for the build.",
			m.MaxSource>>20)
	case err != nil:
		return "", fmt.Errorf("keep the source: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil)), f.Sync()
}

// look wakes Run up.
func (m *Builds) look() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}
