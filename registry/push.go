package registry

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/opencontainers/go-digest"

	"renga"
)

// commitTimeout bounds a push's commit once its manifest is here: storing,
// releasing, answering. It does not end when the client goes away.
const commitTimeout = 2 * time.Minute

// putManifest takes a manifest. By digest it is only stored; by the release tag
// it becomes a release.
func (r *Registry) putManifest(w http.ResponseWriter, req *http.Request, rq request) error {
	body, err := readManifestBody(req)
	if err != nil {
		return err
	}
	if err := errors.Join(r.checkSpace(), r.checkEngineSpace(req.Context()), r.checkQuota(rq, int64(len(body)))); err != nil {
		return err
	}
	put := manifestPut{request: rq, body: body, mediaType: manifestType(req)}
	if err := checkManifest(put.mediaType, body); err != nil {
		return err
	}
	defer r.holdManifest(body)()
	// A client that hangs up must not leave half a push.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), commitTimeout)
	defer cancel()
	put.req = req.WithContext(ctx)
	if !rq.byDigest() {
		defer r.tags.Lock(tagKey(rq.repository(), rq.ref))()
		if err := r.checkTag(ctx, rq, digest.FromBytes(body).String()); err != nil {
			return err
		}
		if rq.ref == r.o.ReleaseTag {
			return r.push(w, put)
		}
		if err := put.needsApp(); err != nil {
			return err
		}
	}
	return r.answerPush(w, put, r.store(put))
}

// answerPush tells of a manifest that is stored and makes no release, and lets the
// answer out.
func (r *Registry) answerPush(w http.ResponseWriter, put manifestPut, answer *heldAnswer) error {
	if err := r.tellPush(put, answer); err != nil {
		return err
	}
	answer.copyTo(w)
	return nil
}

// manifestPut is a PUT of a manifest.
type manifestPut struct {
	request
	req       *http.Request
	body      []byte
	mediaType string
}

// pendingPush is a push whose release is to be made.
type pendingPush struct {
	intent
	app     string // by name; the intent has its id
	process renga.ProcessType
	repo    storedRepository
	request *renga.ContentEvent // nil after a crash
}

// openPush opens the repository of an intent, and reads its app.
func (r *Registry) openPush(ctx context.Context, it intent) (pendingPush, error) {
	app, process, err := parseRepository(it.Repository)
	if err != nil {
		return pendingPush{}, err
	}
	repo, err := r.repository(ctx, it.Repository)
	return pendingPush{intent: it, app: app, process: process, repo: repo}, err
}

// needsApp refuses to store a manifest that makes no app under a name that no
// app has: nobody would own it.
func (p manifestPut) needsApp() error {
	if p.app.ID != "" {
		return nil
	}
	return renga.Errorf(renga.Forbidden, "There is no app %s. Create it, or push an image that can run to it first.",
		p.call.app)
}

// push does a push: write the intent, store and tag the manifest, make the
// release, remove the intent, answer 201. What cannot be a release is refused
// before anything is stored. The tag's lock is held.
func (r *Registry) push(w http.ResponseWriter, put manifestPut) error {
	ctx := put.req.Context()
	p, err := r.beginPush(ctx, put)
	if err != nil {
		return err
	}
	defer r.gate.hold(p.Previous)() // to which the tag may be put back
	images, err := r.readImages(ctx, p, put.mediaType, put.body)
	switch {
	case errors.Is(err, errNotStored) && isIndex(put.mediaType):
		r.counts.refused.Add(1)
		return errIncomplete // distribution takes indexes that are sparse
	case errors.Is(err, errNotStored):
		return r.storeIncomplete(w, put, p)
	case err != nil:
		r.counts.refused.Add(1)
		return err
	case images == nil:
		if err := put.needsApp(); err != nil {
			return err
		}
		r.log.Info("artifact stored, nothing to release", "app", put.call.app, "digest", p.Digest)
		answer := r.store(put)
		answer.warn("Stored and not released: what was pushed is no image that an app can run, but for instance a chart, " +
			"a build cache, a plugin or an attestation.")
		return r.answerPush(w, put, answer)
	}
	if put.who.pushID == "" && put.app.ID != "" && !put.app.FeatureOn(renga.ReleaseOnPush) {
		return r.storeOnly(w, put, p)
	}
	if err := r.checkProvenance(ctx, put, images); err != nil {
		r.counts.refused.Add(1)
		return err
	}
	if err := r.intents.write(p.intent); err != nil {
		return r.diskError(err)
	}
	answer := r.store(put)
	if answer.status != http.StatusCreated {
		r.undoPush(ctx, p)
		answer.copyTo(w)
		return nil
	}
	if err := r.makeRelease(ctx, p, images); err != nil {
		return err
	}
	r.counts.acknowledged.Add(1)
	answer.copyTo(w)
	return nil
}

// checkProvenance refuses a push that the app's rules do not let become a release.
func (r *Registry) checkProvenance(ctx context.Context, put manifestPut, images map[renga.ProcessType]renga.Image) error {
	for _, img := range images { // of all process types it is the same
		return provenance{r.storage, r.o.Dir}.check(ctx, put.app, "", img)
	}
	return nil
}

// storeOnly stores and tags an image of an app that releases by itself, and
// says so.
func (r *Registry) storeOnly(w http.ResponseWriter, put manifestPut, p pendingPush) error {
	answer := r.store(put)
	if answer.status == http.StatusCreated {
		r.log.Info("image stored, not released", "app", put.call.app, "process", put.process, "digest", p.Digest, "by", p.By)
		answer.warn(fmt.Sprintf("The image is stored and not released: release it with heroku container:release %s -a %s.",
			put.process, put.call.app))
	}
	return r.answerPush(w, put, answer)
}

// storeIncomplete lets distribution say what a manifest lacks. If it finds
// nothing wrong, the tag is restored: what could not be read is not released.
func (r *Registry) storeIncomplete(w http.ResponseWriter, put manifestPut, p pendingPush) error {
	answer := r.store(put)
	if answer.status == http.StatusCreated {
		r.counts.refused.Add(1)
		r.undoPush(put.req.Context(), p)
		return errIncomplete
	}
	answer.copyTo(w)
	return nil
}

// makeRelease asks for the release of a stored image and settles its intent.
// After an error that may pass the intent stays, and Recover continues with it.
// After any other the tag is restored, so that no tag is left without its
// release.
func (r *Registry) makeRelease(ctx context.Context, p pendingPush, images map[renga.ProcessType]renga.Image) error {
	err := r.rel.Push(ctx, renga.Push{
		ID:     p.ID,
		App:    p.app,
		AppID:  p.App,
		Images: images,
		By:     p.By,
		At:     p.At,

		Description: p.Description,
	})
	if err == nil {
		err = r.tell(ctx, p.released())
	}
	switch renga.KindOf(err) {
	case "":
		r.settle(p.intent)
		return nil
	case renga.Unavailable, renga.NoSpace:
		text := sentence(err) + " The image is stored and will be released as soon as that is over."
		return &renga.Error{Kind: renga.KindOf(err), Message: text, Err: err}
	case renga.Internal:
		r.log.Error("release failed, will be tried again", "app", p.app, "push", p.ID, "err", err)
		return renga.Errorf(renga.Unavailable,
			"The release could not be made now. The image is stored, and it will be tried again; the platform's log says why.")
	}
	r.counts.refused.Add(1)
	r.undoPush(ctx, p)
	return renga.Errorf(renga.Forbidden, "%s", sentence(err))
}

// settle removes all intents of a tag whose release is made, for the new
// release replaces those of older pushes.
func (r *Registry) settle(it intent) {
	left, err := r.intents.list()
	if err != nil {
		r.log.Warn("some intents not read", "err", err)
	}
	for _, o := range append(left, it) {
		if o.Repository == it.Repository && o.Tag == it.Tag {
			r.forget(o)
		}
	}
}

// undoPush undoes what a push did to its tag, then forgets its intent. If the
// tag cannot be restored the intent stays, and Recover does it.
func (r *Registry) undoPush(ctx context.Context, p pendingPush) {
	err := p.restoreTag(ctx)
	if err != nil {
		r.log.Error("tag not put back, will be tried again", "repository", p.Repository, "tag", p.Tag, "push", p.ID, "err",
			err)
		return
	}
	r.forget(p.intent)
}

func (p pendingPush) restoreTag(ctx context.Context) error {
	now, err := p.repo.tag(ctx, p.Tag)
	if err != nil || now != p.Digest || p.Previous == p.Digest {
		return err
	}
	return p.repo.setTag(ctx, p.Tag, p.Previous)
}

// forget drops an intent. Failing is harmless: it is replayed with the same
// push id, which makes no second release.
func (r *Registry) forget(it intent) {
	if err := r.intents.drop(it); err != nil {
		r.log.Warn("intent not dropped", "push", it.ID, "err", err)
	}
}

// beginPush makes the intent of a push.
func (r *Registry) beginPush(ctx context.Context, put manifestPut) (pendingPush, error) {
	p, err := r.openPush(ctx, intent{
		ID:         cmp.Or(put.who.pushID, uuid.NewString()),
		App:        put.app.ID,
		Repository: put.repository(),
		Tag:        put.ref,
		Digest:     digest.FromBytes(put.body).String(),
		By:         put.who.account.ID,
		At:         time.Now().UTC(),

		Description: put.who.description,
	})
	if err != nil {
		return pendingPush{}, err
	}
	e := contentEvent(renga.PushEvent, put.request, put.req)
	e.MediaType, e.Size = put.mediaType, int64(len(put.body))
	p.request = &e
	p.Previous, err = p.repo.tag(ctx, put.ref)
	return p, err
}

// readImages reads what a pushed manifest asks to run; see imageReader.read.
func (r *Registry) readImages(
	ctx context.Context, p pendingPush, mediaType string, body []byte,
) (map[renga.ProcessType]renga.Image, error) {
	reader := imageReader{p.repo, r.platform, r.o.MaxImageBytes, r.measureLayers}
	return reader.read(ctx, p.app, p.process, mediaType, body)
}

// store lets distribution store and tag a manifest, and holds its answer back.
func (r *Registry) store(put manifestPut) *heldAnswer {
	req := put.req
	req.Body = io.NopCloser(bytes.NewReader(put.body))
	req.ContentLength = int64(len(put.body))
	answer := &heldAnswer{header: http.Header{}, status: http.StatusOK}
	subject, err := r.noteReferrer(put)
	if err == nil {
		err = r.write(answer, req, nil)
	}
	if err != nil {
		refusalOf(r.diskError(err)).write(answer)
	}
	r.answerReferrer(put, subject, answer)
	return answer
}

// manifestType is the type of a pushed manifest as distribution understands it:
// it takes an unknown type for Docker's schema 2.
func manifestType(req *http.Request) string {
	t, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	switch {
	case t == typeSchema1 || t == typeSchema1Signed:
		return t // to be refused
	case err != nil || !slices.Contains(manifestTypes, t):
		return typeDockerManifest
	}
	return t
}

// heldAnswer is an http.ResponseWriter that holds a small answer back.
type heldAnswer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

// Header is the answer's header.
func (a *heldAnswer) Header() http.Header { return a.header }

// WriteHeader notes the status.
func (a *heldAnswer) WriteHeader(status int) { a.status = status }

// Write keeps a part of the body.
func (a *heldAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }

// warn adds a warning to a good answer (OCI distribution-spec v1.1,
// "Warnings"). The text has neither quotes nor backslashes.
func (a *heldAnswer) warn(text string) {
	if a.status == http.StatusCreated {
		a.header.Set("Warning", `299 - "`+text+`"`)
	}
}

// copyTo lets the answer out. A client that is gone will ask again; the push
// stands.
func (a *heldAnswer) copyTo(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes())
}

// readManifestBody reads a manifest into memory, up to its largest size.
func readManifestBody(req *http.Request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(req.Body, maxManifestBytes+1))
	switch {
	case len(body) > maxManifestBytes:
		return nil, errBigManifest
	case err != nil || (req.ContentLength >= 0 && int64(len(body)) != req.ContentLength):
		return nil, errCutManifest
	}
	return body, nil
}

// diskError is a sentence on the full disk, if that is the cause of err.
func (r *Registry) diskError(err error) error {
	if r.diskFull() {
		return &renga.Error{Kind: renga.NoSpace, Message: errDiskFull.Message, Err: err}
	}
	return err
}

// sentence is the part of err that a user may read.
func sentence(err error) string {
	return renga.MessageOf(err, "The release was refused.")
}

// tagKey names a tag's lock. It needs no quoting, for no repository has a
// colon.
func tagKey(repository, tag string) string { return repository + ":" + tag }
