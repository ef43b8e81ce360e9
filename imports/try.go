package imports

import (
	"context"
	"errors"

	"renga"
)

// try does an import, or a part of it if that fails.
func (m *Imports) try(ctx context.Context, i renga.Import) {
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	version, err := m.bring(bounded, &i)
	if ctx.Err() != nil && err != nil {
		return // the next start goes on
	}
	if bounded.Err() != nil && err != nil {
		err = renga.Errorf(renga.Unavailable, "The copy took longer than %s.", timeout)
	}
	if err := m.end(ctx, i, version, err); err != nil && renga.KindOf(err) != renga.NotFound {
		m.Log.Warn("outcome of an import not written, will be tried again", "import", i.ID, "err", err)
	}
}

// bring copies and releases an image, and gives the release's version.
func (m *Imports) bring(ctx context.Context, i *renga.Import) (version int, err error) {
	version, err = m.platform.ReleaseByPush(ctx, i.App, i.ID)
	if renga.KindOf(err) != renga.NotFound {
		return version, err // it was made before we were killed
	}
	order, err := m.order(ctx, *i)
	if err != nil {
		return 0, err
	}
	if i.Digest == "" || i.State != renga.ImportCopying && i.State != renga.ImportCopied && order.From.Digest == "" {
		if i.Digest, err = m.copier.Resolve(ctx, order.From, order.Login); err != nil {
			return 0, err
		}
	}
	order.From.Digest = i.Digest
	if err := m.progress(ctx, i, renga.ImportCopying, i.Copied, i.Total); err != nil {
		return 0, err
	}
	order.Progress = func(state renga.ImportState, copied, total int64) error {
		return m.progress(ctx, i, state, copied, total)
	}
	if err := m.copier.Copy(ctx, order); err != nil {
		return 0, err
	}
	version, err = m.platform.ReleaseByPush(ctx, i.App, i.ID)
	if renga.KindOf(err) == renga.NotFound { // the newest release has that image already
		return 0, nil
	}
	return version, err
}

// order is what the copier is to do, but for the digest of a tag.
func (m *Imports) order(ctx context.Context, i renga.Import) (renga.ImageCopy, error) {
	ref, err := renga.ParseImageRef(i.Image)
	if err == nil {
		err = m.refuseOwn(ref.Host)
	}
	if err != nil {
		return renga.ImageCopy{}, err
	}
	app, err := m.platform.App(ctx, i.App)
	if err != nil {
		return renga.ImageCopy{}, err
	}
	by, err := m.platform.Account(ctx, i.By)
	if renga.KindOf(err) == renga.NotFound {
		err = renga.Errorf(renga.Forbidden, "The account in whose name this is imported does not exist any more.")
	}
	if err == nil { // before anything is fetched; the registry asks again
		err = app.Permit(by.ID, renga.MayDeploy)
	}
	if err != nil {
		return renga.ImageCopy{}, err
	}
	login, err := m.platform.SourceLogin(ctx, i.App, ref.Host)
	return renga.ImageCopy{
		Push: i.ID, App: app.ID, AppName: app.Name, Process: i.Process, From: ref, Login: login, By: by,
	}, err
}

// progress writes down how far an import is.
func (m *Imports) progress(ctx context.Context, i *renga.Import, state renga.ImportState, copied, total int64) error {
	i.State, i.Copied, i.Total = state, copied, total
	_, err := m.store.EditImport(ctx, i.App, i.ID, func(stored *renga.Import) error {
		stored.State, stored.Digest, stored.Copied, stored.Total = state, i.Digest, copied, total
		stored.UpdatedAt = m.Now().UTC()
		return nil
	})
	return err
}

// end writes down what became of a try.
func (m *Imports) end(ctx context.Context, i renga.Import, version int, failed error) error {
	state, reason := outcome(failed, i.Attempts+1)
	done, err := m.store.EditImport(ctx, i.App, i.ID, func(stored *renga.Import) error {
		stored.Reason, stored.UpdatedAt, stored.Version = reason, m.Now().UTC(), version
		stored.Attempts++
		if state == "" {
			stored.NextAttempt = m.Now().Add(m.Pause(stored.Attempts)).UTC()
			return nil
		}
		stored.State = state
		return nil
	})
	if err != nil {
		return err
	}
	m.Log.Info("import tried", "import", i.ID, "app", i.App, "image", i.Image, "state", done.State, "attempt", done.Attempts,
		"err", failed)
	if done.State.Over() && m.logs != nil {
		m.logs.Line(i.App, "app", "api", line(done))
	}
	return nil
}

// outcome is the state after an attempt, and why; empty if it is to be tried again.
func outcome(err error, attempts int) (renga.ImportState, string) {
	var denied *renga.Error
	switch renga.KindOf(err) {
	case "":
		return renga.ImportReleased, ""
	case renga.Internal, renga.Unavailable, renga.TooMany, renga.NoSpace:
		reason := "Something failed; the platform's log says what."
		if errors.As(err, &denied) {
			reason = denied.Message
		}
		if attempts >= maxAttempts {
			return renga.ImportFailed, reason
		}
		return "", reason
	}
	return renga.ImportRefused, renga.MessageOf(err, "The image was refused.")
}

func line(i renga.Import) string {
	text := "Import of " + i.Image + " " + string(i.State)
	if i.Reason != "" {
		text += ": " + i.Reason
	}
	return text
}
