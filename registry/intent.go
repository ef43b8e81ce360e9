package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"renga"
	"renga/durable"
)

// intent says that a release is to be made of a digest, if the tag comes to
// name it. It is written before the tag moves and removed when the release is
// made, so that a crash in between loses nothing.
type intent struct {
	ID         string          `json:"id"`            // the push id
	App        renga.AppID     `json:"app,omitempty"` // empty when the push makes it
	Repository string          `json:"repository"`
	Tag        string          `json:"tag"`
	Digest     string          `json:"digest"`
	Previous   string          `json:"previous,omitempty"` // what the tag named before
	By         renga.AccountID `json:"by"`
	At         time.Time       `json:"at"`
	// Description is the release's; empty for one made of the digest.
	Description string `json:"description,omitempty"`
}

// intentDir is the directory of the intents, one file each, named by push id.
type intentDir string

const (
	intentSuffix = ".json"
)

func (d intentDir) file(it intent) string { return filepath.Join(string(d), it.ID+intentSuffix) }

// write makes an intent durable: content first, then its name.
func (d intentDir) write(it intent) error {
	raw, err := json.Marshal(it)
	if err == nil {
		err = writeWhole(d.file(it), raw)
	}
	if err != nil {
		return fmt.Errorf("write intent: %w", err)
	}
	return nil
}

// writeWhole makes a file durable, or leaves none.
func writeWhole(file string, content []byte) error {
	if err := durable.WriteFile(file, content, 0o600); err != nil {
		return errors.Join(err, os.RemoveAll(file))
	}
	return nil
}

// drop removes an intent; one that is gone already is no error.
func (d intentDir) drop(it intent) error {
	if err := os.Remove(d.file(it)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop intent: %w", err)
	}
	return nil
}

// has tells whether the intent is still waiting.
func (d intentDir) has(it intent) bool {
	_, err := os.Stat(d.file(it))
	return err == nil
}

// list gives the intents, oldest first, and with them an error that names those
// that cannot be read.
func (d intentDir) list() ([]intent, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, fmt.Errorf("list intents: %w", err)
	}
	var all []intent
	var bad error
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), intentSuffix) {
			continue
		}
		it, err := d.read(e.Name())
		switch {
		case errors.Is(err, fs.ErrNotExist): // settled meanwhile
		case err != nil:
			bad = errors.Join(bad, err)
		default:
			all = append(all, it)
		}
	}
	slices.SortFunc(all, func(a, b intent) int { return a.At.Compare(b.At) })
	return all, bad
}

func (d intentDir) read(name string) (intent, error) {
	raw, err := os.ReadFile(filepath.Join(string(d), name))
	if err != nil {
		return intent{}, fmt.Errorf("read intent: %w", err)
	}
	var it intent
	if err := json.Unmarshal(raw, &it); err != nil {
		return intent{}, fmt.Errorf("read intent %s: %w", name, err)
	}
	if it.ID+intentSuffix != name || !renga.ValidDigest(it.Digest) || !tagName.MatchString(it.Tag) {
		return intent{}, fmt.Errorf("read intent %s: not an intent", name)
	}
	return it, nil
}

// Recover settles the intents that a crash or an outage left: if the tag names
// the intent's digest, it makes the release, under its first push id; else the
// push was never acknowledged, and the intent is dropped. Call it before
// serving; Run calls it every minute. An intent that cannot be settled yet, for
// instance while Redis is away, stays and is logged; the error is about the
// intents' directory alone.
func (r *Registry) Recover(ctx context.Context) error {
	left, err := r.intents.list()
	for _, it := range left {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := r.recoverOne(ctx, it); err != nil {
			r.log.Warn("push waits for its release", "repository", it.Repository, "push", it.ID, "since", it.At, "err", err)
		}
	}
	if err != nil {
		return fmt.Errorf("recover pushes: %w", err)
	}
	return nil
}

// recoverTag settles the intents of one tag.
func (r *Registry) recoverTag(ctx context.Context, repository, tag string) error {
	left, err := r.intents.list()
	if err != nil {
		r.log.Warn("some intents not read", "err", err)
	}
	for _, it := range left {
		if it.Repository != repository || it.Tag != tag {
			continue
		}
		if err := r.recoverOne(context.WithoutCancel(ctx), it); err != nil {
			return err
		}
	}
	return nil
}

func (r *Registry) recoverOne(ctx context.Context, it intent) error {
	app, _, err := parseRepository(it.Repository)
	if err != nil {
		return err
	}
	defer r.apps.RLock(app)()
	defer r.tags.Lock(tagKey(it.Repository, it.Tag))()
	if !r.intents.has(it) {
		return nil // its push was still under way, and is done now
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	p, err := r.openPush(ctx, it)
	if err != nil {
		return err
	}
	now, err := p.repo.tag(ctx, it.Tag)
	switch {
	case err != nil:
		return err
	case now != it.Digest:
		r.log.Info("push never finished", "repository", it.Repository, "push", it.ID)
		r.forget(it)
		return nil
	}
	return r.releaseStoredImage(ctx, p)
}

// releaseStoredImage makes the release of an image that is stored and tagged.
func (r *Registry) releaseStoredImage(ctx context.Context, p pendingPush) error {
	mediaType, body, err := p.repo.manifest(ctx, p.Digest)
	if err != nil {
		return err
	}
	images, err := r.readImages(ctx, p, mediaType, body)
	if renga.KindOf(err) == renga.Invalid || (err == nil && images == nil) {
		// The rules became stricter since the push; its client got no answer.
		r.log.Warn("stored image cannot be released", "repository", p.Repository, "push", p.ID, "err", err)
		r.counts.refused.Add(1)
		r.undoPush(ctx, p)
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.makeRelease(ctx, p, images); err != nil {
		return err
	}
	r.counts.recovered.Add(1)
	r.log.Info("push recovered", "repository", p.Repository, "push", p.ID, "digest", p.Digest)
	return nil
}
