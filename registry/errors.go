package registry

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"renga"
)

// refusal is an error answer of the OCI distribution specification ("Error
// Codes"): a status, a code for clients, a sentence for people.
type refusal struct {
	Status  int
	Code    string
	Message string
}

// Error is the sentence.
func (e refusal) Error() string { return e.Message }

var (
	errNoSuchPath = refusal{http.StatusNotFound, "UNSUPPORTED", "This registry has no such path."}
	errNoCatalog  = refusal{http.StatusForbidden, "DENIED", "This token may not list repositories; it takes the scope read."}
	errBadCount   = refusal{
		http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", "The parameter n is how many entries are wanted: 0 or more.",
	}
	errUnsupported = refusal{
		http.StatusMethodNotAllowed, "UNSUPPORTED", "This registry does not support that here.",
	}
	errNoManifest = refusal{http.StatusNotFound, "MANIFEST_UNKNOWN", "This repository has no such manifest."}
	errNoBlob     = refusal{http.StatusNotFound, "BLOB_UNKNOWN", "This repository has no such blob."}
	errInUse      = refusal{
		http.StatusForbidden, "DENIED", "Somebody is pushing or pulling just this. Delete it again when they have finished.",
	}
	errBadDigest = refusal{
		http.StatusBadRequest, "DIGEST_INVALID", "This is no digest; they are like sha256:<64 hex digits>.",
	}
	errOtherDigest = refusal{
		http.StatusBadRequest, "DIGEST_INVALID", "This registry keeps content by its sha256 digest: sha256:<64 hex digits>.",
	}
	errBadTag = refusal{
		http.StatusBadRequest, "TAG_INVALID", "A tag has up to 128 letters, digits, dots, dashes and underscores.",
	}
	errBadRange = refusal{
		http.StatusBadRequest, "BLOB_UPLOAD_INVALID", "The Content-Range of a part of an upload is <first byte>-<last byte>.",
	}
	errNoUpload    = refusal{http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "There is no such upload; start the push again."}
	errNotReleased = refusal{
		http.StatusNotFound, "MANIFEST_UNKNOWN", "The app's newest release runs nothing of this repository.",
	}
	errReadOnly = refusal{
		http.StatusForbidden, "DENIED", "The repository <app>/releases is written by the platform only.",
	}
	errOtherApp    = refusal{http.StatusForbidden, "DENIED", "This token is a robot's, which reaches one app, and not this."}
	errPullOnly    = refusal{http.StatusForbidden, "DENIED", "This token may only pull."}
	errBigManifest = refusal{http.StatusRequestEntityTooLarge, "MANIFEST_INVALID", "The manifest is larger than 4 MiB."}
	errSchema1     = refusal{
		http.StatusBadRequest, "MANIFEST_INVALID", "This manifest is of Docker's schema 1, which registries no longer " +
			"take. Push with Docker 1.10 or newer, or as an OCI image.",
	}
	errIncomplete = refusal{
		http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN",
		"The image for this platform is not complete in this repository. Push it again, with all its layers.",
	}
	errCutManifest = refusal{
		http.StatusBadRequest, "MANIFEST_INVALID", "The manifest could not be read to its end; push again.",
	}
	errInner = refusal{
		http.StatusInternalServerError, "UNKNOWN",
		"The registry failed; the platform's log says why. Push again, or tell whoever runs the platform.",
	}
)

// kindAnswers is the table from kinds of errors to OCI answers. What a person
// must change is always 403 DENIED, because docker and crane then stop at once
// and show the sentence; docker retries a 400 for most of a minute, and shows
// no text of a 5xx.
var kindAnswers = map[renga.Kind]struct {
	status int
	code   string
}{
	renga.Invalid:      {http.StatusForbidden, "DENIED"},
	renga.Forbidden:    {http.StatusForbidden, "DENIED"},
	renga.Conflict:     {http.StatusForbidden, "DENIED"},
	renga.NotFound:     {http.StatusNotFound, "NAME_UNKNOWN"},
	renga.Unauthorized: {http.StatusUnauthorized, "UNAUTHORIZED"},
	renga.Unavailable:  {http.StatusServiceUnavailable, "UNAVAILABLE"},
	renga.NoSpace:      {http.StatusForbidden, "DENIED"},
	renga.TooMany:      {http.StatusTooManyRequests, "TOOMANYREQUESTS"},
}

// refusalOf turns any error into an answer; texts of internal errors are not
// shown.
func refusalOf(err error) refusal {
	var r refusal
	if errors.As(err, &r) {
		return r
	}
	if a, ok := kindAnswers[renga.KindOf(err)]; ok {
		return refusal{a.status, a.code, renga.MessageOf(err, errInner.Message)}
	}
	return errInner
}

// answerError writes an error as OCI clients expect it and logs what is ours.
func (r *Registry) answerError(w http.ResponseWriter, req *http.Request, err error) {
	e := refusalOf(err)
	if e.Status >= http.StatusInternalServerError {
		r.log.Error("registry request failed", "method", req.Method, "path", req.URL.Path, "status", e.Status, "err", err)
	} else if req.Method != http.MethodGet && req.Method != http.MethodHead {
		r.log.Info("registry request refused", "method", req.Method, "path", req.URL.Path, "status", e.Status, "reason",
			e.Message)
	}
	if e.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", challenge(req))
	}
	if looksForBlob(req) && e.Status == http.StatusForbidden {
		e.Status = http.StatusNotFound
	}
	e.write(w)
}

// looksForBlob tells whether a client asks whether a blob is there, as it does
// before it uploads it. An answer to HEAD has no body for the reason of a
// refusal, and docker ends with a complaint about that. Told that the blob is
// not there, it begins the upload, and gets the reason.
func looksForBlob(req *http.Request) bool {
	return req.Method == http.MethodHead && strings.Contains(req.URL.Path, "/blobs/")
}

func (e refusal) write(w http.ResponseWriter) {
	h := w.Header()
	h.Del("Location")
	h.Del("Content-Length")
	h.Set("Docker-Distribution-API-Version", "registry/2.0")
	h.Set("Content-Type", "application/json")
	if e.Status == http.StatusServiceUnavailable || e.Status == http.StatusTooManyRequests {
		h.Set("Retry-After", "5")
	}
	w.WriteHeader(e.Status)
	type ociError struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	// The client may be gone.
	_ = json.NewEncoder(w).Encode(map[string][]ociError{"errors": {{e.Code, e.Message}}})
}

// answerFilter holds back an answer of distribution's when judge returns an
// error to be answered instead, which is err then. The caller answers it.
type answerFilter struct {
	http.ResponseWriter
	judge func(status int) error // nil lets the answer out
	wrote bool
	err   error
}

// WriteHeader asks judge before anything goes out.
func (c *answerFilter) WriteHeader(status int) {
	if c.wrote {
		return
	}
	c.wrote = true
	if c.err = c.judge(status); c.err == nil {
		c.ResponseWriter.WriteHeader(status)
	}
}

// Write drops the body of an answer that is held back.
func (c *answerFilter) Write(p []byte) (int, error) {
	if !c.wrote {
		c.WriteHeader(http.StatusOK)
	}
	if c.err != nil {
		return len(p), nil
	}
	return c.ResponseWriter.Write(p)
}
