package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"renga/durable"
)

// referrer is what an answer of the referrers API says of one manifest (OCI
// distribution-spec v1.1, "Listing Referrers").
type referrer struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
	subject      *contentRef
}

// refersTo is the digits of the subject's digest, if that could be stored here.
func (f referrer) refersTo() (hex string, ok bool) {
	if f.subject == nil {
		return "", false
	}
	return storedHex(f.subject.Digest)
}

// An answer ends soon after so many bytes, or after so many were read for it; the
// rest is behind its Link. Each entry has up to 4 MiB of annotations.
const (
	maxReferrersBytes = 4 << 20
	maxReferrersRead  = 32 << 20
)

// listReferrers lists the manifests of a repository whose subject is a digest, which
// need not be there. Which they are is written down when they are pushed; what became
// of each since then, its manifest says.
func (r *Registry) listReferrers(w http.ResponseWriter, req *http.Request, rq request) error {
	rq, leave := r.locate(req.Context(), rq)
	defer leave()
	subject, ok := storedHex(rq.ref)
	if !ok {
		return errOtherDigest
	}
	if err := r.indexReferrers(req.Context(), rq.repository()); err != nil {
		return err
	}
	all, err := names(r.driver.file(referrersDir(rq.repository()) + "/" + subject))
	if err != nil {
		return err
	}
	query := req.URL.Query()
	kind, after := query.Get("artifactType"), query.Get("last")
	page, last, err := r.readReferrers(req.Context(), rq, all, kind, after)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Docker-Distribution-API-Version", "registry/2.0")
	h.Set("Content-Type", typeOCIIndex)
	if kind != "" {
		h.Set("OCI-Filters-Applied", "artifactType")
	}
	if last != "" {
		next := url.Values{"last": {last}}
		if kind != "" {
			next.Set("artifactType", kind)
		}
		h.Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, rq.path(), next.Encode()))
	}
	// The client may be gone.
	_ = json.NewEncoder(w).Encode(map[string]any{"schemaVersion": 2, "mediaType": typeOCIIndex, "manifests": page})
	return nil
}

// readReferrers reads the manifests of one answer, those after a digest. Last is
// empty once there are no more.
func (r *Registry) readReferrers(
	ctx context.Context, rq request, all []string, kind, after string,
) (page []referrer, last string, err error) {
	page = []referrer{}
	read, written := int64(0), 0
	for _, hex := range all {
		dgst := "sha256:" + hex
		if dgst <= after || !validHex(hex) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		if read > maxReferrersRead || written > maxReferrersBytes {
			return page, last, nil
		}
		last = dgst
		one, err := r.referrer(rq.repository(), hex)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was never stored, or has gone since
		}
		if err != nil {
			return nil, "", err
		}
		read += one.Size
		if of, _ := one.refersTo(); "sha256:"+of != rq.ref || kind != "" && kind != one.ArtifactType {
			continue
		}
		raw, err := json.Marshal(one)
		if err != nil {
			return nil, "", err
		}
		written += len(raw)
		page = append(page, one)
	}
	return page, "", nil
}

// referrer reads a manifest of a repository; fs.ErrNotExist if that has none.
func (r *Registry) referrer(repository, hex string) (referrer, error) {
	if _, err := os.Stat(r.driver.file(revisionsDir(repository) + "/" + hex)); err != nil {
		return referrer{}, err
	}
	body, err := os.ReadFile(r.driver.file(blobData(hex)))
	if err != nil {
		return referrer{}, err
	}
	one, err := referrerOf(body)
	if err != nil {
		one = referrer{} // which refers to nothing
	}
	one.Digest, one.Size = "sha256:"+hex, int64(len(body))
	return one, nil
}

// referrerOf is what a manifest says of itself.
func referrerOf(body []byte) (referrer, error) {
	var doc struct {
		MediaType    string            `json:"mediaType"`
		ArtifactType string            `json:"artifactType"`
		Config       *contentRef       `json:"config"`
		Manifests    json.RawMessage   `json:"manifests"`
		Annotations  map[string]string `json:"annotations"`
		Subject      *contentRef       `json:"subject"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return referrer{}, fmt.Errorf("read manifest: %w", err)
	}
	one := referrer{MediaType: doc.MediaType, ArtifactType: doc.ArtifactType, Annotations: doc.Annotations}
	switch {
	case one.MediaType != "": // which OCI leaves to the manifest
	case doc.Manifests != nil:
		one.MediaType = typeOCIIndex
	default:
		one.MediaType = typeOCIManifest
	}
	if one.ArtifactType == "" && doc.Config != nil {
		one.ArtifactType = doc.Config.MediaType
	}
	one.subject = doc.Subject
	return one, nil
}

// noteReferrer writes down that a manifest which is about to be stored refers to
// another, and gives that subject; empty if there is none that could be stored here.
func (r *Registry) noteReferrer(put manifestPut) (subject string, err error) {
	one, err := referrerOf(put.body)
	if err != nil {
		return "", err
	}
	of, ok := one.refersTo()
	if !ok {
		return "", nil
	}
	return one.subject.Digest, r.linkReferrer(put.repository(), of, digest.FromBytes(put.body).Encoded())
}

// answerReferrer tells a client that its referrer is listed, or forgets one that was
// not stored.
func (r *Registry) answerReferrer(put manifestPut, subject string, answer *heldAnswer) {
	switch of, listed := storedHex(subject); {
	case !listed:
	case answer.status == http.StatusCreated:
		answer.header.Set("OCI-Subject", subject)
	default:
		hex := digest.FromBytes(put.body).Encoded()
		if _, err := os.Stat(r.driver.file(revisionsDir(put.repository()) + "/" + hex)); !errors.Is(err, fs.ErrNotExist) {
			return // it was stored before
		}
		if err := r.forgetReferrer(put.repository(), of, hex); err != nil {
			r.log.Warn("referrer not forgotten", "repository", put.repository(), "err", err)
		}
	}
}

// linkReferrer makes an entry: an empty file.
func (r *Registry) linkReferrer(repository, subject, hex string) error {
	dir := r.driver.file(referrersDir(repository) + "/" + subject)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("note referrer: %w", err)
	}
	if err := durable.WriteFile(filepath.Join(dir, hex), nil, 0o600); err != nil {
		return fmt.Errorf("note referrer: %w", err)
	}
	return nil
}

// indexReferrers makes the entries of what was pushed before there were any, once
// for each repository.
func (r *Registry) indexReferrers(ctx context.Context, repository string) error {
	complete := r.driver.file(repositoryDir(repository) + "/_referrers/complete")
	if _, err := os.Stat(complete); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	stored, err := names(r.driver.file(revisionsDir(repository)))
	if err != nil || len(stored) == 0 {
		return err
	}
	for _, hex := range stored {
		if err := ctx.Err(); err != nil {
			return err
		}
		one, err := r.referrer(repository, hex)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if of, ok := one.refersTo(); ok {
			if err := r.linkReferrer(repository, of, hex); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(filepath.Dir(complete), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(complete, nil, 0o600)
}

// forgetReferrer removes an entry. One that stays by mistake is not listed, either.
func (r *Registry) forgetReferrer(repository, subject, hex string) error {
	dir := r.driver.file(referrersDir(repository) + "/" + subject)
	if err := os.Remove(filepath.Join(dir, hex)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget referrer: %w", err)
	}
	_ = os.Remove(dir) // unless there are others
	return nil
}

// referrersDir has a directory for each subject, with an empty file for each
// manifest that was pushed with it. Distribution does not know it.
func referrersDir(repository string) string { return repositoryDir(repository) + "/_referrers/sha256" }
