package releases

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// Stored tells what was pushed to an app's repositories.
type Stored interface {
	StoredImages(ctx context.Context, app string) ([]renga.StoredImage, error)
	StoredTags(ctx context.Context, app string) ([]renga.StoredTag, error)
	// StoredManifest is NotFound if the process type's repository has none of that
	// digest.
	StoredManifest(ctx context.Context, app string, t renga.ProcessType, digest string) (renga.StoredManifest, error)
	// StoredConfig says nothing of what is no image's config.
	StoredConfig(ctx context.Context, app string, t renga.ProcessType, config renga.StoredContent) (renga.StoredConfig, error)
}

func (s *Server) imageRoutes() []wire.Route {
	return []wire.Route{
		// Not Heroku's: see docs/beyond-heroku.md.
		wire.Get("/apps/{app}/images", wire.Looking, s.listImages),
		wire.Get("/apps/{app}/images/{process}/{digest}", wire.Looking, s.imageInfo),
		wire.Get("/apps/{app}/tags", wire.Looking, s.listTags),
	}
}

// storedImage is a manifest of an app's repository as JSON. Size counts what it names
// itself: of an index, its own bytes.
type storedImage struct {
	ArtifactType *string  `json:"artifact_type"`
	Digest       string   `json:"digest"`
	MediaType    string   `json:"media_type"`
	ProcessType  string   `json:"process_type"`
	PushedAt     string   `json:"pushed_at"`
	Referrers    int      `json:"referrers"` // up to a hundred are counted
	Releases     []int    `json:"releases"`  // versions of the app's releases that run it
	Size         int64    `json:"size"`
	Subject      *string  `json:"subject"`
	Tags         []string `json:"tags"`
}

// imageDetails is one of them with all that it names.
type imageDetails struct {
	storedImage
	Config    *imageConfig `json:"config"` // null for what is no image
	Layers    []content    `json:"layers"`
	Manifests []content    `json:"manifests"`
	Referrers []content    `json:"referrers"`
}

type imageConfig struct {
	CreatedAt *string           `json:"created_at"`
	Digest    string            `json:"digest"`
	Labels    map[string]string `json:"labels"`
	Platform  *string           `json:"platform"`
	Size      int64             `json:"size"`
}

type content struct {
	ArtifactType *string `json:"artifact_type,omitempty"`
	Digest       string  `json:"digest"`
	MediaType    string  `json:"media_type"`
	Platform     *string `json:"platform,omitempty"`
	Size         int64   `json:"size"`
}

// listImages lists what was pushed. Manifests are read for the page only.
func (s *Server) listImages(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	all, err := s.parts.Stored.StoredImages(r.Context(), a.Name)
	if err != nil {
		return err
	}
	used, err := s.usedBy(r.Context(), a)
	if err != nil {
		return err
	}
	show := func(page []renga.StoredImage) ([]storedImage, error) {
		var shown []storedImage
		for _, img := range page {
			m, err := s.parts.Stored.StoredManifest(r.Context(), a.Name, img.Process, img.Digest)
			if renga.KindOf(err) == renga.NotFound {
				continue // it has just gone
			}
			if err != nil {
				return nil, err
			}
			shown = append(shown, newStoredImage(img, m, used))
		}
		return shown, nil
	}
	key := func(img renga.StoredImage) string { return img.Digest + "/" + string(img.Process) }
	at := func(img renga.StoredImage) (time.Time, string) { return img.PushedAt, key(img) }
	return wire.ListAs(w, r, all, show, wire.By("digest", key), wire.ByTime("pushed_at", at))
}

// usedBy are the versions of an app's releases by the digests of what they run, and of
// what was pushed for them.
func (s *Server) usedBy(ctx context.Context, a renga.App) (map[string][]int, error) {
	records, err := s.parts.Releases.Releases(ctx, a.ID, renga.ReleaseQuery{})
	if err != nil {
		return nil, wire.OrNotFound(err, "app")
	}
	used := map[string][]int{}
	for _, rec := range records {
		for _, img := range rec.Images {
			for _, digest := range []string{img.Digest, img.Pushed} {
				if digest != "" && !slices.Contains(used[digest], rec.Version) {
					used[digest] = append(used[digest], rec.Version)
				}
			}
		}
	}
	return used, nil
}

func newStoredImage(img renga.StoredImage, m renga.StoredManifest, used map[string][]int) storedImage {
	return storedImage{
		ArtifactType: wire.OrNull(m.ArtifactType), Digest: img.Digest, MediaType: m.MediaType, ProcessType: string(img.Process),
		PushedAt: wire.Stamp(img.PushedAt), Referrers: len(m.Referrers), Releases: append([]int{}, used[img.Digest]...),
		Size: m.Size, Subject: wire.OrNull(m.Subject), Tags: append([]string{}, img.Tags...),
	}
}

func (s *Server) imageInfo(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	t, digest := renga.ProcessType(mux.Vars(r)["process"]), mux.Vars(r)["digest"]
	all, err := s.parts.Stored.StoredImages(r.Context(), a.Name)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(img renga.StoredImage) bool { return img.Process == t && img.Digest == digest })
	if i < 0 {
		return wire.NotFound("image")
	}
	m, err := s.parts.Stored.StoredManifest(r.Context(), a.Name, t, digest)
	if err != nil {
		return wire.OrNotFound(err, "image")
	}
	used, err := s.usedBy(r.Context(), a)
	if err != nil {
		return err
	}
	shown := imageDetails{
		storedImage: newStoredImage(all[i], m, used), Layers: contents(m.Layers), Manifests: contents(m.Manifests),
		Referrers: contents(m.Referrers),
	}
	if shown.Config, err = s.showConfig(r.Context(), a, t, m.Config); err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, shown)
}

func contents(all []renga.StoredContent) []content {
	shown := make([]content, 0, len(all))
	for _, c := range all {
		shown = append(shown, content{
			ArtifactType: wire.OrNull(c.ArtifactType), Digest: c.Digest, MediaType: c.MediaType, Platform: wire.OrNull(c.Platform),
			Size: c.Size,
		})
	}
	return shown
}

// showConfig shows what a config says, without the environment: that may hold secrets.
func (s *Server) showConfig(
	ctx context.Context, a renga.App, t renga.ProcessType, config *renga.StoredContent,
) (*imageConfig, error) {
	if config == nil {
		return nil, nil
	}
	said, err := s.parts.Stored.StoredConfig(ctx, a.Name, t, *config)
	if err != nil {
		return nil, err
	}
	shown := &imageConfig{
		CreatedAt: wire.StampOrNull(said.CreatedAt), Digest: config.Digest, Labels: said.Labels,
		Platform: wire.OrNull(said.Platform), Size: config.Size,
	}
	if shown.Labels == nil {
		shown.Labels = map[string]string{}
	}
	return shown, nil
}

// storedTag is a tag as JSON.
type storedTag struct {
	Digest      string `json:"digest"`
	Name        string `json:"name"`
	ProcessType string `json:"process_type"`
	UpdatedAt   string `json:"updated_at"`
}

func (s *Server) listTags(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	all, err := s.parts.Stored.StoredTags(r.Context(), a.Name)
	if err != nil {
		return err
	}
	show := func(page []renga.StoredTag) ([]storedTag, error) {
		var shown []storedTag
		for _, t := range page {
			shown = append(shown, storedTag{
				Digest: t.Digest, Name: t.Name, ProcessType: string(t.Process), UpdatedAt: wire.Stamp(t.UpdatedAt),
			})
		}
		return shown, nil
	}
	key := func(t renga.StoredTag) string { return t.Name + "/" + string(t.Process) }
	at := func(t renga.StoredTag) (time.Time, string) { return t.UpdatedAt, key(t) }
	return wire.ListAs(w, r, all, show, wire.By("name", key), wire.ByTime("updated_at", at))
}
