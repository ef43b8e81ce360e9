package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"renga"
)

// Copier copies images of other registries into this one.
type Copier struct {
	registry *Registry
	sources  sources
}

// NewCopier makes a Copier.
func NewCopier(r *Registry, o SourceOptions) *Copier { return &Copier{r, newSources(o)} }

// Resolve gives the digest that a tag names now. The kinds of its errors are as those
// of Copy.
func (c *Copier) Resolve(ctx context.Context, ref renga.ImageRef, login renga.SourceLogin) (string, error) {
	s, err := c.sources.open(ctx, ref, login)
	if err != nil {
		return "", err
	}
	desc, err := remote.Head(s.ref(ref), s.options...)
	if err != nil { // some answer no HEAD
		m, err := s.fetch(ctx, ref)
		return m.digest, err
	}
	if !renga.ValidDigest(desc.Digest.String()) {
		return "", renga.Errorf(renga.Invalid, "%s names the image by a digest that is no sha256.", ref.Host)
	}
	return desc.Digest.String(), nil
}

// Copy copies an image by its digest and pushes it to the release tag. Blobs that
// are here already are not fetched; so one that was cut short goes on. Of an index
// only the image for the platform is copied. Errors of kind Unavailable, Internal,
// NoSpace and TooMany may pass; all others are final.
func (c *Copier) Copy(ctx context.Context, order renga.ImageCopy) error {
	s, err := c.sources.open(ctx, order.From, order.Login)
	if err != nil {
		return err
	}
	top, found, err := c.find(ctx, s, order.From)
	if err != nil {
		return err
	}
	t := transfer{
		into:       c.registry.bringing("import", order.By, order.Push, ""),
		repository: order.AppName + "/" + string(order.Process),
		open:       s.open,
		fault:      func(err error) error { return sourceError(order.From.Host, err) },
		progress: func(copied, total int64) error {
			return order.Progress(renga.ImportCopying, copied, total)
		},
	}
	blobs := append([]contentRef{*found.doc.Config}, found.doc.Layers...)
	if err := t.blobs(ctx, c.registry.o.MaxImageBytes, blobs); err != nil {
		return err
	}
	for _, m := range s.needed(found.digest) {
		if m.digest != top.digest {
			if err := t.putManifest(ctx, m, m.digest); err != nil {
				return err
			}
		}
	}
	if err := order.Progress(renga.ImportCopied, t.copied, t.total); err != nil {
		return err
	}
	return t.putManifest(ctx, top, c.registry.o.ReleaseTag)
}

// find reads the source's manifest and finds the image in it, as a push would.
func (c *Copier) find(ctx context.Context, s *source, ref renga.ImageRef) (sourceManifest, *foundImage, error) {
	s.platform = c.registry.platform
	top, err := s.fetch(ctx, ref)
	if err != nil {
		return top, nil, err
	}
	if err := checkManifest(top.mediaType, top.body); err != nil {
		return top, nil, asFinal(err)
	}
	found, err := imageReader{source: s, platform: c.registry.platform}.find(ctx, top.mediaType, top.body)
	switch {
	case errors.Is(err, errNotStored):
		err = renga.Errorf(renga.NotFound, "%s lacks parts of this image; push it there again.", ref.Host)
	case err == nil && found == nil:
		err = renga.Errorf(renga.Invalid,
			"This is no image that an app can run, but for instance a chart, a build cache or an attestation.")
	}
	return top, found, err
}

// transfer is one image on its way into a repository.
type transfer struct {
	into       inProcess
	repository string
	// open opens a blob where it comes from; fault is what to tell of an error in
	// reading it.
	open  func(ctx context.Context, b contentRef) (*sourceBody, error)
	fault func(error) error
	// progress is told how many bytes are here; an error ends the transfer.
	progress      func(copied, total int64) error
	copied, total int64
}

// blobs copies those that are not here.
func (t *transfer) blobs(ctx context.Context, limit int64, all []contentRef) error {
	unique := map[string]contentRef{}
	for _, b := range all {
		if b.Size < 0 || b.Size > maxBlobBytes {
			return renga.Errorf(renga.Invalid, "The manifest gives %s a size of %d bytes.", clipText(b.Digest), b.Size)
		}
		if unique[b.Digest] = b; len(b.URLs) > 0 {
			return renga.Errorf(renga.Invalid, "Layer %s is kept elsewhere. Push the image with all its layers.",
				clipText(b.Digest))
		}
	}
	for b := range maps.Values(unique) {
		t.total += b.Size
	}
	if limit > 0 && t.total > limit {
		return renga.Errorf(renga.Invalid, "This image has %s; this platform takes up to %s. Push a smaller image.",
			humanBytes(t.total), humanBytes(limit))
	}
	for _, dgst := range slices.Sorted(maps.Keys(unique)) {
		if err := t.blob(ctx, unique[dgst]); err != nil {
			return err
		}
		t.copied += unique[dgst].Size
		if err := t.progress(t.copied, t.total); err != nil {
			return err
		}
	}
	return nil
}

// maxBlobBytes keeps sums of sizes from overflowing.
const maxBlobBytes = 1 << 44

// blob copies one blob unless the repository has it.
func (t *transfer) blob(ctx context.Context, b contentRef) error {
	_, err := t.into.do(ctx, http.MethodHead, t.path("blobs/"+b.Digest), nil, nil, 0)
	if err == nil {
		return nil
	}
	if statusOf(err) != http.StatusNotFound {
		return asFinal(err)
	}
	begun, err := t.into.do(ctx, http.MethodPost, t.path("blobs/uploads/"), nil, nil, 0)
	if err != nil {
		return asFinal(err)
	}
	at, err := url.Parse(begun.header.Get("Location"))
	if err != nil {
		return fmt.Errorf("begin an upload: %w", err)
	}
	query := at.Query()
	query.Set("digest", b.Digest)
	at = &url.URL{Path: at.Path, RawQuery: query.Encode()}
	body, err := t.open(ctx, b)
	if err != nil {
		t.drop(at)
		return err
	}
	defer func() { _ = body.Close() }() // it was read to its end, or failed
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	_, err = t.into.do(ctx, http.MethodPut, at, header, body, b.Size)
	if err != nil {
		t.drop(at)
	}
	var refused refusal
	switch {
	case body.failed != nil:
		return t.fault(body.failed)
	case errors.As(err, &refused) && refused.Code == errBadDigest.Code:
		return t.fault(renga.Errorf(renga.Invalid, "The content of %s is not what its digest says.", renga.Clip(b.Digest, 100)))
	}
	return asFinal(err)
}

// drop removes an upload that will not be finished.
func (t *transfer) drop(at *url.URL) {
	if c, err := parseCall(at.Path); err == nil && c.kind == callUpload && c.ref != "" {
		t.into.registry.dropUpload(request{call: c})
	}
}

func (t *transfer) putManifest(ctx context.Context, m sourceManifest, ref string) error {
	if err := checkManifest(m.mediaType, m.body); err != nil {
		return asFinal(err)
	}
	_, err := t.into.do(ctx, http.MethodPut, t.path("manifests/"+ref),
		http.Header{"Content-Type": {m.mediaType}}, bytes.NewReader(m.body), int64(len(m.body)))
	return asFinal(err)
}

func (t *transfer) path(rest string) *url.URL {
	return &url.URL{Path: "/v2/" + t.repository + "/" + rest}
}

func statusOf(err error) int {
	var refused refusal
	if errors.As(err, &refused) {
		return refused.Status
	}
	if renga.KindOf(err) == renga.NotFound {
		return http.StatusNotFound
	}
	return 0
}

// asFinal turns the registry's own refusals into errors with a kind.
func asFinal(err error) error {
	var refused refusal
	switch {
	case err == nil || !errors.As(err, &refused):
		return err
	case refused.Status >= http.StatusInternalServerError:
		return &renga.Error{Kind: renga.Unavailable, Message: refused.Message, Err: err}
	}
	return &renga.Error{Kind: renga.Invalid, Message: refused.Message, Err: err}
}

// sourceBody is a blob on its way from its source: not longer than the manifest
// says, and never silent for long.
type sourceBody struct {
	io.ReadCloser
	left    int64  // bytes that may still come
	unsized bool   // and fewer may
	idle    func() // begins to wait anew
	end     func()
	failed  error
}

// Read reads on. What the source did wrong is kept, for the registry that reads
// this would take it for a client's.
func (b *sourceBody) Read(p []byte) (int, error) {
	b.idle()
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	switch {
	case b.left < 0:
		err = renga.Errorf(renga.Invalid, "A blob is larger than its manifest says.")
	case b.unsized:
	case errors.Is(err, io.EOF) && b.left > 0:
		err = renga.Errorf(renga.Invalid, "A blob is smaller than its manifest says.")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.failed = err
		return 0, err
	}
	return n, err
}

// Close ends the transfer.
func (b *sourceBody) Close() error {
	b.end()
	return b.ReadCloser.Close()
}
