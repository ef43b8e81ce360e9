package registry

import (
	"cmp"
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"renga"
)

var manifestTypes = []string{typeOCIManifest, typeOCIIndex, typeDockerManifest, typeDockerList}

// headManifest tells what a tag names. A client that pushes asks first, and
// sends no manifest when the tag names it already. So a push that still waits
// for its release is settled here, or the client is told that it waits.
func (r *Registry) headManifest(w http.ResponseWriter, req *http.Request, rq request) error {
	if rq.ref == r.o.ReleaseTag && !rq.who.puller && !rq.who.anonymous {
		if err := r.recoverTag(req.Context(), rq.repository(), rq.ref); err != nil {
			return err
		}
	}
	return r.getManifest(w, req, rq)
}

// getManifest serves a manifest. A client that takes single images only, and
// the Heroku CLI, which says it takes Docker's schema 2 only and then reads no
// more than config.digest, gets the platform's image out of an index, and an
// OCI manifest as it is: the bytes that the digest names, under their own media
// type. Distribution would answer 404 to both.
func (r *Registry) getManifest(w http.ResponseWriter, req *http.Request, rq request) error {
	rq, leave := r.locate(req.Context(), rq)
	defer leave()
	if rq.byDigest() {
		defer r.gate.hold(rq.ref)() // a client that is told so pushes it no more
	}
	rq, err := r.asReleased(req, rq)
	if err != nil {
		return err
	}
	req = rq.canonical(req)
	accepted := acceptedTypes(req.Header.Values("Accept"))
	if singleOnly(accepted) {
		if image := r.imageBehind(req.Context(), rq); image != "" {
			rq.ref = image
			req = rq.canonical(req)
		}
	}
	req.Header = req.Header.Clone()
	req.Header["Accept"] = manifestTypes
	c := &answerFilter{ResponseWriter: w, judge: func(status int) error {
		if status == http.StatusOK {
			r.tellPull(req, rq, w.Header())
		}
		return innerError(status)
	}}
	r.inner.ServeHTTP(c, req)
	return c.err
}

// asReleased turns the release tag of an app that releases what is pushed into
// the digest that the newest release runs. After a rollback that is not what
// was pushed last. A client that pushes the latter again must not be told that
// it is there, for it would send no manifest, and nothing would be released. If
// the release runs nothing of the repository, a HEAD is answered 404, and a GET
// with what was pushed last.
func (r *Registry) asReleased(req *http.Request, rq request) (request, error) {
	if rq.ref != r.o.ReleaseTag || rq.app.ID == "" || rq.process == releasesPart ||
		!rq.app.FeatureOn(renga.ReleaseOnPush) {
		return rq, nil
	}
	repo, err := r.repository(req.Context(), rq.repository())
	if err != nil {
		return rq, err
	}
	tagged, err := repo.tag(req.Context(), rq.ref)
	if err != nil || tagged == "" {
		return rq, err
	}
	newest, err := r.dir.Head(req.Context(), rq.app.ID)
	if err != nil {
		return rq, err
	}
	img := newest.Images[rq.process]
	runs := cmp.Or(img.Pushed, img.Digest)
	if runs == tagged {
		return rq, nil
	}
	_, _, err = repo.manifest(req.Context(), runs)
	switch {
	case err == nil:
		rq.ref = runs
	case !errors.Is(err, errNotStored):
		return rq, err
	case req.Method == http.MethodHead:
		return rq, errNotReleased
	}
	return rq, nil
}

// acceptedTypes are the media types of Accept headers, without parameters.
func acceptedTypes(headers []string) []string {
	var all []string
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		if t, _, err := mime.ParseMediaType(part); err == nil {
			all = append(all, t)
		}
	}
	return all
}

// singleOnly tells whether a client takes images and no indexes. A client that
// names no type of manifest takes any.
func singleOnly(accepted []string) bool {
	takes := func(t string) bool { return slices.Contains(accepted, t) }
	return (takes(typeDockerManifest) || takes(typeOCIManifest)) &&
		!takes(typeOCIIndex) && !takes(typeDockerList) && !takes("*/*")
}

// imageBehind is the digest of the platform's image that a tag or a digest
// stands for; empty when there is none, or when anything is wrong, which
// distribution then reports.
func (r *Registry) imageBehind(ctx context.Context, rq request) string {
	repo, err := r.repository(ctx, rq.repository())
	if err != nil {
		return ""
	}
	dgst := rq.ref
	if !rq.byDigest() {
		if dgst, err = repo.tag(ctx, rq.ref); err != nil {
			return ""
		}
	}
	mediaType, body, err := repo.manifest(ctx, dgst)
	if err != nil {
		return ""
	}
	found, err := imageReader{source: repo, platform: r.platform}.find(ctx, mediaType, body)
	if err != nil || found == nil {
		return ""
	}
	return found.digest
}
