package builds

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"renga"
)

// settleTimeout bounds the writing of what became of a build, also when Renga ends.
const settleTimeout = 10 * time.Second

// try does a build.
func (m *Builds) try(ctx context.Context, b renga.Build) {
	output, err := m.outputs.Record(b.App, b.Number)
	if err != nil {
		m.Log.Warn("a build cannot be recorded, it is tried again", "build", b.ID, "err", err)
		return
	}
	bounded, cancel := context.WithTimeoutCause(ctx, m.Timeout,
		renga.Errorf(renga.Invalid, "The build took longer than %s and was ended.", m.Timeout))
	defer cancel()
	err = m.build(bounded, &b, output)
	if bounded.Err() != nil && err != nil {
		err = context.Cause(bounded)
	}
	stopped := errors.Is(err, context.Canceled) // nobody ended the build, but Renga ends
	switch {
	case stopped && !b.Replaces:
		m.close(output, b)
		return // the next start does it again
	case stopped:
		err = errStopped
	}
	m.say(output, b, err)
	m.close(output, b) // before the state is known, so that whoever follows has it all
	live, end := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer end()
	if err := m.settle(live, b, err); err != nil && renga.KindOf(err) != renga.NotFound {
		m.Log.Warn("outcome of a build not written, it is tried again", "build", b.ID, "err", err)
	}
}

func (m *Builds) close(output io.Closer, b renga.Build) {
	if err := output.Close(); err != nil {
		m.Log.Warn("what a build said is not kept", "build", b.ID, "err", err)
	}
}

// say ends a build's output, in Heroku's shape.
func (m *Builds) say(output io.Writer, b renga.Build, err error) {
	text := "       The image is the one that runs; there is nothing to release.\n"
	switch {
	case err != nil:
		text = fmt.Sprintf("\n !     %s\n !\n !     Build failed\n", reasonOf(err))
	case b.Version > 0:
		text = fmt.Sprintf("       Released %s\n", renga.VersionName(b.Version))
	}
	_, _ = io.WriteString(output, text) // that the disk is full shows in the record
}

// build makes the image, and pushes it.
func (m *Builds) build(ctx context.Context, b *renga.Build, output io.Writer) error {
	version, err := m.platform.ReleaseByPush(ctx, b.App, b.ID)
	if renga.KindOf(err) != renga.NotFound {
		b.Version = version
		return err // it was made before we were killed
	}
	began, err := m.store.EditBuild(ctx, b.App, b.ID, func(stored *renga.Build) error {
		if stored.State.Over() {
			return renga.Errorf(renga.Conflict, "%s", cmp.Or(stored.Reason, "The build is over."))
		}
		stored.StartedAt, stored.UpdatedAt = m.Now().UTC(), m.Now().UTC()
		return nil
	})
	if err != nil {
		return err
	}
	b.StartedAt = began.StartedAt
	j, by, err := m.job(ctx, *b)
	if err != nil {
		return err
	}
	made, err := m.maker.Make(ctx, j, output)
	if err != nil {
		return err
	}
	return errors.Join(m.push(ctx, b, by, j.App, made, output), made.Close())
}

// job is what is to be made.
func (m *Builds) job(ctx context.Context, b renga.Build) (Job, renga.Account, error) {
	if err := m.CheckSpace(); err != nil {
		return Job{}, renga.Account{}, err
	}
	app, err := m.platform.App(ctx, b.App)
	if err != nil {
		return Job{}, renga.Account{}, err
	}
	by, err := m.platform.Account(ctx, b.By)
	if renga.KindOf(err) == renga.NotFound {
		err = renga.Errorf(renga.Forbidden, "The account in whose name this is built does not exist any more.")
	}
	if err == nil { // the registry asks again
		err = app.Permit(by.ID, renga.MayDeploy)
	}
	if err != nil {
		return Job{}, by, err
	}
	source, err := openArchive(m.sourceFile(b.ID))
	if err != nil {
		return Job{}, by, err
	}
	newest, err := m.releases.Newest(ctx, b.App)
	if err != nil {
		return Job{}, by, err
	}
	previous, err := m.previous(ctx, app, newest)
	return Job{
		Build: b, App: app, Env: newest.Env(), Source: source.WriteTo, Previous: previous,
		Labels: labels(b), RunEnv: runEnv(b),
	}, by, err
}

// previous is the image that the app's newest release has of a build; nil if it has none.
func (m *Builds) previous(ctx context.Context, app renga.App, newest renga.Release) (*PreviousImage, error) {
	img, there := newest.Inputs.Images[renga.Web]
	if !there || img.PushedTo() != renga.Web {
		return nil, nil
	}
	manifest, config, err := m.registry.ImageParts(ctx, app, img.Digest)
	if renga.KindOf(err) == renga.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	blob := func(ctx context.Context, digest string, limit int64) ([]byte, error) {
		return m.registry.ImageBlob(ctx, app, digest, limit)
	}
	return &PreviousImage{manifest, config, blob}, nil
}

// push pushes and releases what was made.
func (m *Builds) push(ctx context.Context, b *renga.Build, by renga.Account, app renga.App, made Image, output io.Writer) error {
	if _, err := io.WriteString(output, "-----> Launching...\n"); err != nil {
		return err
	}
	mediaType, manifest := made.Manifest()
	sum := sha256.Sum256(manifest)
	b.Digest = "sha256:" + hex.EncodeToString(sum[:])
	err := m.registry.PushBuilt(ctx, renga.BuiltImage{
		Push: b.ID, AppName: app.Name, By: by, Description: description(*b),
		MediaType: mediaType, Manifest: manifest, Open: made.Open,
	})
	if err != nil {
		return err
	}
	b.Version, err = m.platform.ReleaseByPush(ctx, b.App, b.ID)
	if renga.KindOf(err) == renga.NotFound { // the newest release has that image already
		err = nil
	}
	return err
}

// settle writes down what became of a build, and removes its source. One that has made its
// release has succeeded, whatever came after.
func (m *Builds) settle(ctx context.Context, b renga.Build, failed error) error {
	version, err := m.platform.ReleaseByPush(ctx, b.App, b.ID)
	switch {
	case err == nil:
		b.Version, failed = version, nil
	case renga.KindOf(err) != renga.NotFound:
		return err
	}
	done, err := m.store.EditBuild(ctx, b.App, b.ID, func(stored *renga.Build) error {
		if stored.State.Over() && failed != nil {
			return nil // somebody ended it, and has said why
		}
		stored.State, stored.Reason = renga.BuildSucceeded, ""
		if failed != nil {
			stored.State, stored.Reason = renga.BuildFailed, reasonOf(failed)
		}
		if stored.Version, stored.UpdatedAt = b.Version, m.Now().UTC(); b.Digest != "" {
			stored.Digest = b.Digest
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.Log.Info("build over", "build", b.ID, "app", b.App, "state", done.State, "release", done.Version, "err", failed)
	if m.logs != nil {
		m.logs.Line(b.App, "app", "api", logLine(done))
	}
	return m.dropSource(b.ID)
}

// reasonOf is the sentence of an error.
func reasonOf(err error) string {
	return renga.MessageOf(err, "Something failed; the platform's log says what.")
}

func logLine(b renga.Build) string {
	if b.State == renga.BuildFailed {
		return "Build failed: " + b.Reason
	}
	return "Build succeeded"
}
