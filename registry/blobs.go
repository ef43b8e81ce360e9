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
	defer r.gate.hold(rq.ref)() // a client that is told so uploads nothing
	if _, err := os.Stat(r.driver.file(layerLink(rq.repository(), hex))); err != nil {
		return nil
	}
	f, err := os.Open(r.driver.file(blobData(hex)))
	if err != nil {
		return nil
	}
	return f
}

// startUpload begins an upload, takes a whole one at once, or links a blob that
// another repository has.
func (r *Registry) startUpload(w http.ResponseWriter, req *http.Request, rq request) error {
	query := req.URL.Query()
	dgst, mounts := query.Get("digest"), query.Has("mount") || query.Has("from")
	if mounts {
		r.setMountSource(req.Context(), rq, query)
		req.URL = &url.URL{Path: req.URL.Path, RawQuery: query.Encode()}
	}
	mounted := query.Get("mount")
	if err := errors.Join(r.checkSpace(), r.checkQuota(rq, r.gate.use.growth(rq.call.app, mounted))); err != nil {
		return err
	}
	if dgst != "" && !mounts && (req.ContentLength > 0 || dgst == emptyDigest) {
		return r.uploadWhole(w, req, rq)
	}
	defer r.gate.hold(mounted)()
	answer := &heldAnswer{header: http.Header{}, status: http.StatusOK}
	if err := r.write(answer, req, nil); err != nil {
		return err
	}
	if err := r.tellMount(req, rq, answer); err != nil {
		return err
	}
	answer.copyTo(w)
	return nil
}

// setMountSource says from which repository a blob is mounted. If the request names
// none, any of the same app will do. A mount from a repository that the caller may not
// pull from becomes a plain upload, so that nobody learns which blobs others have.
func (r *Registry) setMountSource(ctx context.Context, rq request, query url.Values) {
	from, ok := call{}, false
	if query.Has("from") {
		from, ok = r.mayMountFrom(ctx, rq.who, query.Get("from"))
	} else {
		from, ok = r.ownSource(rq, query.Get("mount"))
	}
	if !ok {
		query.Del("mount")
		query.Del("from")
		return
	}
	query.Set("from", from.repository())
}

// ownSource finds a repository of the same app that has a blob.
func (r *Registry) ownSource(rq request, dgst string) (call, bool) {
	hex, ok := storedHex(dgst)
	if !ok {
		return call{}, false
	}
	parts, err := names(r.driver.file(repositoryDir(rq.call.app)))
	if err != nil {
		return call{}, false // an upload will do
	}
	for _, part := range processesFirst(parts) {
		from := call{app: rq.call.app, process: renga.ProcessType(part)}
		if _, err := os.Stat(r.driver.file(layerLink(from.repository(), hex))); err == nil {
			return from, true
		}
	}
	return call{}, false
}

var emptyDigest = digest.FromBytes(nil).String()

// uploadWhole takes a blob that comes with the request that begins its upload (OCI
// distribution-spec v1.1, "Single POST"). Distribution would begin an upload only.
func (r *Registry) uploadWhole(w http.ResponseWriter, req *http.Request, rq request) error {
	dgst := req.URL.Query().Get("digest")
	begin := req.Clone(req.Context())
	begin.URL, begin.Body, begin.ContentLength = &url.URL{Path: rq.path()}, http.NoBody, 0
	begun := &heldAnswer{header: http.Header{}, status: http.StatusOK}
	if err := r.write(begun, begin, nil); err != nil {
		return err
	}
	at, err := url.Parse(begun.header.Get("Location"))
	if err != nil || begun.status != http.StatusAccepted {
		begun.copyTo(w)
		return err
	}
	rq.ref = begun.header.Get("Docker-Upload-UUID")
	query := at.Query()
	query.Set("digest", dgst)
	put := req.Clone(req.Context())
	put.Method, put.URL = http.MethodPut, &url.URL{Path: rq.path(), RawQuery: query.Encode()}
	put.RequestURI = put.URL.RequestURI()
	seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	err = r.receiveUpload(seen, put, rq)
	if err != nil || seen.status != http.StatusCreated {
		r.dropUpload(rq) // which nobody knows
	}
	return err
}

// receiveUpload takes a blob's bytes, and stops when they are more than an
// image may have or than the disk can hold. It removes an upload that was
// stopped, or that filled the disk, before the answer: until the purge it would
// take up space.
func (r *Registry) receiveUpload(w http.ResponseWriter, req *http.Request, rq request) error {
	body := &meteredBody{ReadCloser: req.Body, space: func() error { return errors.Join(r.checkSpace(), r.checkQuota(rq, 0)) }}
	if limit := r.o.MaxImageBytes; limit > 0 {
		body.limit, body.limited = limit-r.uploadSize(rq), true
	}
	req.Body = body
	dgst := req.URL.Query().Get("digest")
	if dgst != "" && !renga.ValidDigest(dgst) {
		return errOtherDigest // it would be stored under a digest that nobody knows
	}
	defer r.gate.hold(dgst)()
	err := r.write(w, req, body)
	if body.denied != nil || renga.KindOf(err) == renga.NoSpace {
		r.dropUpload(rq)
	}
	if err == nil && dgst != "" {
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

// blobBytes is the size of a blob, whoever has it.
func (r *Registry) blobBytes(dgst string) (int64, error) {
	hex, ok := storedHex(dgst)
	if !ok {
		return 0, errNotStored
	}
	info, err := os.Stat(r.driver.file(blobData(hex)))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
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
	data := uploadData(rq.repository(), rq.ref)
	defer r.gate.use.removed(data)
	dir := filepath.Dir(r.driver.file(data))
	if err := os.RemoveAll(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		r.log.Warn("upload not removed", "app", rq.app.Name, "err", err)
	}
}
