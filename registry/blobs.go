package registry

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"renga"
)

// getBlob serves a blob from its file, by sendfile where the connection allows.
// Distribution would copy it through a fresh 4 MiB buffer per request.
func (r *Registry) getBlob(w http.ResponseWriter, req *http.Request, rq request) error {
	f := r.openBlob(req.Context(), rq)
	if f == nil {
		return r.passThrough(w, req) // and let distribution say what is wrong
	}
	// Reading only: closing cannot lose anything.
	defer func() { _ = f.Close() }()
	h := w.Header()
	h.Set("Docker-Distribution-API-Version", "registry/2.0")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Docker-Content-Digest", rq.ref)
	h.Set("Etag", `"`+rq.ref+`"`)
	h.Set("Cache-Control", "max-age=31536000")
	http.ServeContent(w, req, "", time.Time{}, f)
	return nil
}

// openBlob opens a blob that the repository has; nil when it has none.
func (r *Registry) openBlob(ctx context.Context, rq request) *os.File {
	hex, ok := strings.CutPrefix(rq.ref, "sha256:")
	if !ok || digest.Digest(rq.ref).Validate() != nil {
		return nil
	}
	rq, leave := r.locate(ctx, rq)
	defer leave()
	if _, err := os.Stat(r.driver.file(layerLink(rq.repository(), hex))); err != nil {
		return nil
	}
	f, err := os.Open(r.driver.file(blobData(hex)))
	if err != nil {
		return nil
	}
	return f
}

// startUpload begins an upload, or links a blob that another repository of the
// same owner has. A mount from another owner's repository becomes a plain
// upload, so that nobody learns which blobs others have.
func (r *Registry) startUpload(w http.ResponseWriter, req *http.Request, rq request) error {
	if err := r.checkSpace(); err != nil {
		return err
	}
	query := req.URL.Query()
	if query.Has("mount") || query.Has("from") {
		from, ok := r.mayMountFrom(req.Context(), rq.who, query.Get("from"))
		if ok {
			query.Set("from", from.repository())
		} else {
			query.Del("mount")
			query.Del("from")
		}
		req.URL = &url.URL{Path: req.URL.Path, RawQuery: query.Encode()}
	}
	return r.write(w, req, nil)
}

// receiveUpload takes a blob's bytes, and stops when they are more than an
// image may have or than the disk can hold. It removes an upload that was
// stopped, or that filled the disk, before the answer: until the purge it would
// take up space.
func (r *Registry) receiveUpload(w http.ResponseWriter, req *http.Request, rq request) error {
	body := &meteredBody{ReadCloser: req.Body, space: r.checkSpace}
	if limit := r.o.MaxImageBytes; limit > 0 {
		body.limit, body.limited = limit-r.uploadSize(rq), true
	}
	req.Body = body
	err := r.write(w, req, body)
	if body.denied != nil || renga.KindOf(err) == renga.NoSpace {
		r.dropUpload(rq)
	}
	if dgst := req.URL.Query().Get("digest"); err == nil && renga.ValidDigest(dgst) {
		r.measurer.begin(dgst)
	}
	return err
}

// write lets distribution do a write. Body's denial replaces distribution's
// answer, and so does a full disk, which distribution takes for an internal
// error.
func (r *Registry) write(w http.ResponseWriter, req *http.Request, body *meteredBody) error {
	c := &answerFilter{ResponseWriter: w, judge: func(status int) error {
		switch {
		case body != nil && body.denied != nil && status >= http.StatusBadRequest:
			return body.denied
		case status < http.StatusInternalServerError:
			return nil
		case r.diskFull():
			return errDiskFull
		}
		return errInner
	}}
	r.inner.ServeHTTP(c, req)
	return c.err
}

func (r *Registry) uploadSize(rq request) int64 {
	info, err := os.Stat(r.driver.file(uploadData(rq.repository(), rq.ref)))
	if err != nil {
		return 0
	}
	return info.Size()
}

// dropUpload removes what an upload has received.
func (r *Registry) dropUpload(rq request) {
	dir := filepath.Dir(r.driver.file(uploadData(rq.repository(), rq.ref)))
	if err := os.RemoveAll(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		r.log.Warn("upload not removed", "app", rq.app.Name, "err", err)
	}
}
