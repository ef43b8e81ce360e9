package releaser

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"renga"
)

// successor is the release after last. It reads the clock and nothing else.
func (r *Releaser) successor(app renga.App, last renga.Release, in renga.Inputs, c renga.Change) renga.Release {
	return renga.Release{
		App: app.ID, AppName: app.Name, Version: last.Version + 1, Inputs: in,
		Description: c.Description, By: c.By, PushID: c.PushID,
		CreatedAt: r.Now().UTC(), Previous: last.Digest,
	}
}

// firstOutcome is what is known of a release when it is made: without an image
// there is nothing to wait for.
func firstOutcome(rel renga.Release) renga.Outcome {
	status := renga.Pending
	if len(rel.Inputs.Images) == 0 {
		status = renga.Succeeded
	}
	return renga.Outcome{Status: status, At: rel.CreatedAt}
}

// firstFormation is what process types start with: one web dyno, none of the
// others. Only types that have no entry yet get it.
func firstFormation(rel renga.Release) renga.Formation {
	f := renga.Formation{}
	for t := range rel.Inputs.Images {
		s := renga.Scale{Size: renga.DefaultSize, CreatedAt: rel.CreatedAt, UpdatedAt: rel.CreatedAt}
		if t == renga.Web {
			s.Quantity = 1
		}
		f[t] = s
	}
	return f
}

// deploy lays a push's images over the inputs. Process types that came from the
// same repository and are no longer declared by its image go.
func deploy(in *renga.Inputs, p renga.Push) {
	for t, old := range in.Images {
		for _, img := range p.Images {
			if old.Repository == img.Repository {
				delete(in.Images, t)
			}
		}
	}
	for t, img := range p.Images {
		in.Images[t] = img
	}
}

// deployName describes a push: "Deploy" and the first digits of what was
// pushed.
func deployName(p renga.Push) string {
	for _, img := range p.Images {
		return "Deploy " + shortDigest(img.Pushed)
	}
	return "Deploy"
}

func shortDigest(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return hex[:min(len(hex), 12)]
}

// takeBack replaces the parts of in that a rollback is about by those of the
// target. Credentials stay those of the add-ons attached now: an old password
// may have been revoked.
func takeBack(in *renga.Inputs, target renga.Inputs, part renga.RollbackPart) {
	old := target.Clone()
	if part != renga.RollbackConfig {
		in.Images = old.Images
	}
	if part != renga.RollbackCode {
		in.Vars = old.Vars
	}
}

// rollbackName describes a rollback, as Heroku does.
func rollbackName(version int, part renga.RollbackPart) string {
	if part == renga.RollbackAll {
		return fmt.Sprintf("Rollback to v%d", version)
	}
	return fmt.Sprintf("Rollback to v%d (%s only)", version, part)
}

// sortedTypes lists the process types that have an image, in order.
func sortedTypes(images map[renga.ProcessType]renga.Image) []renga.ProcessType {
	return slices.Sorted(maps.Keys(images))
}
