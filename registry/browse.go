package registry

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"renga"
)

// mostReferrersShown bounds how many manifests are read to show one.
const mostReferrersShown = 100

// StoredImages lists all manifests of an app's repositories, but for those of its
// releases. No manifest is read.
func (r *Registry) StoredImages(ctx context.Context, app string) ([]renga.StoredImage, error) {
	tags, err := r.StoredTags(ctx, app)
	if err != nil {
		return nil, err
	}
	naming := map[string][]string{}
	for _, t := range tags {
		naming[string(t.Process)+" "+t.Digest] = append(naming[string(t.Process)+" "+t.Digest], t.Name)
	}
	var all []renga.StoredImage
	err = r.eachRepository(ctx, app, func(t renga.ProcessType, repository string) error {
		stored, err := names(r.driver.file(revisionsDir(repository)))
		for _, hex := range stored {
			info, err := os.Stat(filepath.Join(r.driver.file(revisionsDir(repository)), hex, "link"))
			if err != nil || !validHex(hex) {
				continue // it has just gone
			}
			img := renga.StoredImage{Process: t, Digest: "sha256:" + hex, PushedAt: info.ModTime()}
			img.Tags = naming[string(t)+" "+img.Digest]
			all = append(all, img)
		}
		return err
	})
	return all, err
}

// StoredTags lists the tags of an app's repositories, but for those of its releases.
func (r *Registry) StoredTags(ctx context.Context, app string) ([]renga.StoredTag, error) {
	var all []renga.StoredTag
	err := r.eachRepository(ctx, app, func(t renga.ProcessType, repository string) error {
		dir := r.driver.file(repositoryDir(repository) + "/_manifests/tags")
		tags, err := names(dir)
		for _, tag := range tags {
			file := filepath.Join(dir, tag, "current", "link")
			link, err := os.ReadFile(file)
			info, statErr := os.Stat(file)
			if err != nil || statErr != nil {
				continue // it has just gone, or a crash left it
			}
			all = append(all, renga.StoredTag{
				Process: t, Name: tag, Digest: strings.TrimSpace(string(link)), UpdatedAt: info.ModTime(),
			})
		}
		return err
	})
	return all, err
}

// eachRepository does something for each repository of an app that clients push to.
func (r *Registry) eachRepository(
	ctx context.Context, app string, do func(t renga.ProcessType, repository string) error,
) error {
	if err := renga.ValidateAppName(app); err != nil {
		return err
	}
	defer r.apps.RLock(app)()
	parts, err := names(r.driver.file(repositoryDir(app)))
	if err != nil {
		return err
	}
	for _, part := range processesFirst(parts) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if part == string(releasesPart) {
			continue
		}
		if err := do(renga.ProcessType(part), app+"/"+part); err != nil {
			return err
		}
	}
	return nil
}

// StoredManifest reads a manifest with what it names and what refers to it; renga.NotFound if the repository has none of that
// digest.
func (r *Registry) StoredManifest(
	_ context.Context, app string, t renga.ProcessType, dgst string,
) (renga.StoredManifest, error) {
	none := renga.Errorf(renga.NotFound, "Couldn't find that image.")
	hex, ok := storedHex(dgst)
	if !ok || renga.ValidateAppName(app) != nil || renga.ValidateProcessType(t) != nil {
		return renga.StoredManifest{}, none
	}
	defer r.apps.RLock(app)()
	repository := app + "/" + string(t)
	one, err := r.referrer(repository, hex)
	if errors.Is(err, fs.ErrNotExist) {
		return renga.StoredManifest{}, none
	}
	if err != nil {
		return renga.StoredManifest{}, err
	}
	m := renga.StoredManifest{MediaType: one.MediaType, ArtifactType: one.ArtifactType, Size: one.Size}
	if one.subject != nil {
		m.Subject = one.subject.Digest
	}
	body, err := os.ReadFile(r.driver.file(blobData(hex)))
	if err != nil {
		return renga.StoredManifest{}, err
	}
	var doc manifestDoc
	if json.Unmarshal(body, &doc) == nil {
		describeManifest(&m, doc)
	}
	m.Referrers, err = r.firstReferrers(repository, hex)
	return m, err
}

// describeManifest adds what a manifest names.
func describeManifest(m *renga.StoredManifest, doc manifestDoc) {
	shown := func(ref contentRef) renga.StoredContent {
		c := renga.StoredContent{Digest: ref.Digest, MediaType: ref.MediaType, Size: ref.Size}
		if ref.Platform != nil && ref.Platform.Arch != "" {
			c.Platform = ref.Platform.String()
		}
		return c
	}
	if doc.Config != nil {
		config := shown(*doc.Config)
		m.Config = &config
		m.Size += config.Size
	}
	for _, l := range doc.Layers {
		m.Layers = append(m.Layers, shown(l))
		m.Size += l.Size
	}
	for _, child := range doc.Manifests {
		m.Manifests = append(m.Manifests, shown(child))
	}
}

// firstReferrers are some of the manifests that refer to one.
func (r *Registry) firstReferrers(repository, subject string) ([]renga.StoredContent, error) {
	entries, err := names(r.driver.file(referrersDir(repository) + "/" + subject))
	if err != nil {
		return nil, err
	}
	var all []renga.StoredContent
	for _, hex := range entries[:min(len(entries), mostReferrersShown)] {
		one, err := r.referrer(repository, hex)
		if of, _ := one.refersTo(); err != nil || of != subject {
			continue // it has just gone, or was never stored
		}
		all = append(all, renga.StoredContent{
			Digest: one.Digest, MediaType: one.MediaType, ArtifactType: one.ArtifactType, Size: one.Size,
		})
	}
	return all, nil
}

// StoredConfig reads what an image's config says; nothing of what is no image's.
func (r *Registry) StoredConfig(
	ctx context.Context, app string, t renga.ProcessType, config renga.StoredContent,
) (renga.StoredConfig, error) {
	if !slices.Contains(imageConfigTypes, config.MediaType) {
		return renga.StoredConfig{}, nil
	}
	repo, err := r.repository(ctx, app+"/"+string(t))
	if err != nil {
		return renga.StoredConfig{}, err
	}
	raw, err := repo.blob(ctx, config.Digest, maxConfigBytes)
	if errors.Is(err, errNotStored) {
		return renga.StoredConfig{}, nil
	}
	if err != nil {
		return renga.StoredConfig{}, err
	}
	var doc struct {
		imageConfig
		Created time.Time `json:"created"`
	}
	if json.Unmarshal(raw, &doc) != nil {
		return renga.StoredConfig{}, nil // no image's, whatever its manifest says
	}
	shown := renga.StoredConfig{CreatedAt: doc.Created, Labels: doc.Config.Labels}
	if doc.Arch != "" {
		shown.Platform = doc.platform.String()
	}
	return shown, nil
}
