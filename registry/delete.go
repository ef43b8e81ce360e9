package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"renga"
	"renga/durable"
)

// deleteTag removes a tag. Releases keep the image that it named.
func (r *Registry) deleteTag(w http.ResponseWriter, req *http.Request, rq request) error {
	defer r.tags.Lock(tagKey(rq.repository(), rq.ref))()
	if err := r.checkTag(req.Context(), rq, ""); err != nil {
		return err
	}
	repo, err := r.repository(req.Context(), rq.repository())
	if err != nil {
		return err
	}
	named, err := repo.tag(req.Context(), rq.ref)
	if err != nil {
		return err
	}
	if named != "" {
		w.Header().Set(digestHeader, named)
	}
	answer := &heldAnswer{header: http.Header{}, status: http.StatusOK}
	if err := r.passThrough(answer, req); err != nil {
		return err
	}
	if answer.status == http.StatusAccepted {
		if err := r.tell(req.Context(), contentEvent(renga.DeleteEvent, rq, req)); err != nil {
			return err
		}
	}
	answer.copyTo(w)
	return nil
}

// deleteManifest takes a manifest, and the tags that name it, out of a repository.
// The releases of the app have their own links to what they run, so that none of them
// loses anything; the content goes once nothing needs it. What an index of the
// repository names stays: that would be left without a part.
func (r *Registry) deleteManifest(w http.ResponseWriter, req *http.Request, rq request) error {
	hex, ok := storedHex(rq.ref)
	if !ok {
		return errNoManifest
	}
	dir := r.driver.file(revisionsDir(rq.repository()) + "/" + hex)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return errNoManifest
	}
	one, err := r.referrer(rq.repository(), hex)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.log.Warn("manifest deleted that cannot be read", "repository", rq.repository(), "digest", rq.ref, "err", err)
	}
	err = r.deleteContent(req.Context(), hex, func() error {
		if err := r.checkUnneeded(req.Context(), rq, hex); err != nil {
			return err
		}
		defer r.gate.use.forget(rq.call.app)
		return removeDurably(dir)
	}, func() error { return r.untag(req.Context(), rq) })
	if err != nil {
		return err
	}
	if of, ok := one.refersTo(); ok {
		if err := r.forgetReferrer(rq.repository(), of, hex); err != nil {
			return err
		}
	}
	if err := r.tell(req.Context(), contentEvent(renga.DeleteEvent, rq, req)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// deleteBlob takes a blob out of a repository, unless one of its manifests names it.
func (r *Registry) deleteBlob(w http.ResponseWriter, req *http.Request, rq request) error {
	hex, ok := storedHex(rq.ref)
	if !ok {
		return errNoBlob
	}
	link := r.driver.file(layerLink(rq.repository(), hex))
	if _, err := os.Stat(link); errors.Is(err, fs.ErrNotExist) {
		return errNoBlob
	}
	err := r.deleteContent(req.Context(), hex, func() error {
		if err := r.checkUnneeded(req.Context(), rq, hex); err != nil {
			return err
		}
		defer r.gate.use.forget(rq.call.app)
		return removeDurably(filepath.Dir(link))
	}, func() error { return nil })
	if err != nil {
		return err
	}
	if err := r.tell(req.Context(), contentEvent(renga.DeleteEvent, rq, req)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// errTagged says that a tag names what is to be deleted.
var errTagged = errors.New("a tag names it")

// deleteContent calls do while nobody counts on that content, and before once more
// whenever do is errTagged: a push may come between them.
func (r *Registry) deleteContent(ctx context.Context, hex string, do, before func() error) error {
	const tries, pause = 20, 50 * time.Millisecond
	for range tries {
		if err := before(); err != nil {
			return err
		}
		done, err := r.gate.remove(hex, time.Now().Add(time.Hour), do) // however young it is
		switch {
		case done && err == nil:
			return nil
		case done && !errors.Is(err, errTagged):
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return errInUse
}

// untag removes the tags that name a manifest.
func (r *Registry) untag(ctx context.Context, rq request) error {
	tags, err := r.tagsOf(ctx, rq)
	if err != nil {
		return err
	}
	repo, err := r.repository(ctx, rq.repository())
	if err != nil {
		return err
	}
	for _, tag := range tags {
		if rq.app.Registry.Immutable(tag) {
			return renga.Errorf(renga.Forbidden, "The immutable tag %s in the app %s names this image, so it cannot be deleted.",
				tag, rq.call.app)
		}
	}
	for _, tag := range tags {
		if err := r.untagOne(ctx, repo, tagKey(rq.repository(), tag), tag, rq.ref); err != nil {
			return err
		}
	}
	return nil
}

func (r *Registry) untagOne(ctx context.Context, repo storedRepository, key, tag, dgst string) error {
	defer r.tags.Lock(key)()
	now, err := repo.tag(ctx, tag)
	if err != nil || now != dgst {
		return err
	}
	return repo.setTag(ctx, tag, "")
}

// tagsOf are the tags that name a manifest.
func (r *Registry) tagsOf(ctx context.Context, rq request) ([]string, error) {
	all, err := names(r.driver.file(repositoryDir(rq.repository()) + "/_manifests/tags"))
	if err != nil {
		return nil, err
	}
	repo, err := r.repository(ctx, rq.repository())
	if err != nil {
		return nil, err
	}
	var tags []string
	for _, tag := range all {
		now, err := repo.tag(ctx, tag)
		if err != nil {
			return nil, err
		}
		if now == rq.ref {
			tags = append(tags, tag)
		}
	}
	return tags, nil
}

// checkUnneeded is an error if a tag, an unfinished push or another manifest of the
// repository names content.
func (r *Registry) checkUnneeded(ctx context.Context, rq request, hex string) error {
	if rq.kind == callManifest {
		tags, err := r.tagsOf(ctx, rq)
		if err != nil {
			return err
		}
		if len(tags) > 0 {
			return errTagged
		}
	}
	left, err := r.intents.list()
	if err != nil {
		return err
	}
	for _, it := range left {
		if it.Repository == rq.repository() && (it.Digest == rq.ref || it.Previous == rq.ref) {
			return errInUse
		}
	}
	stored, err := names(r.driver.file(revisionsDir(rq.repository())))
	if err != nil {
		return err
	}
	for _, other := range stored {
		if err := ctx.Err(); err != nil {
			return err
		}
		if other == hex || !validHex(other) {
			continue
		}
		named, err := readNamed(r.driver.file(blobData(other)))
		if err != nil {
			continue // it can be had no more, whatever it named
		}
		if slices.Contains(named.parts, hex) || slices.Contains(named.children, hex) {
			return refusal{
				http.StatusForbidden, "DENIED", "sha256:" + other + " in this repository needs it. Delete that first.",
			}
		}
	}
	return nil
}

// removeDurably removes a directory so that it does not come back after a power loss.
func removeDurably(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return durable.SyncDir(filepath.Dir(dir))
}
