package releases

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"renga"
	"renga/api/wire"
)

// imageID gives an image's id, for which clients of Heroku want a UUID. It is made
// of the digest, and is the same for every app.
func imageID(digest string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("renga:oci-image:"+digest)).String()
}

// releaseImage releases a stored image. It is named by a digest, by a tag of the
// web process type's repository, or by the id that the app's releases give it. It
// may declare other process types too.
func (s *Server) releaseImage(
	r *http.Request, a renga.App, image, description string, canary renga.Canary,
) (renga.ReleaseRecord, error) {
	ref := image
	if wire.IsUUID(image) {
		var err error
		if ref, err = s.imageByID(r, a, image); err != nil {
			return renga.ReleaseRecord{}, err
		}
	}
	images, err := s.parts.Images.Find(r.Context(), a.Name, renga.Web, ref)
	if err != nil {
		return renga.ReleaseRecord{}, err
	}
	if _, runs := images[renga.Web]; !runs {
		return renga.ReleaseRecord{}, wire.Invalid("The image %s declares no process type web.", wire.Clip(image))
	}
	d := renga.Deploy{
		Images: map[renga.ProcessType]map[renga.ProcessType]renga.Image{renga.Web: images}, Description: description,
		Canary: canary,
	}
	rel, err := s.parts.Deployer.Deploy(r.Context(), a.ID, d, wire.Caller(r).ID)
	if err != nil {
		return renga.ReleaseRecord{}, wire.OrNotFound(err, "app")
	}
	s.Reconciler.Reconcile(a.ID)
	s.Audit(r, "images released", a.Name, "release", rel.Name(), "types", renga.Web)
	return s.parts.Releases.Release(r.Context(), a.ID, rel.Version)
}

// imageByID finds the digest of an image that a release of the app runs.
func (s *Server) imageByID(r *http.Request, a renga.App, id string) (string, error) {
	records, err := s.parts.Releases.Releases(r.Context(), a.ID, renga.ReleaseQuery{Descending: true})
	if err != nil {
		return "", wire.OrNotFound(err, "app")
	}
	for _, rec := range records {
		for _, img := range rec.Images {
			if strings.EqualFold(imageID(img.Digest), id) {
				return img.Digest, nil
			}
		}
	}
	return "", wire.Invalid("No release of %s runs the image %s; name it by its digest.", a.Name, id)
}
