package releaser

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"renga"
)

// successor is the release after last. Its only input besides the arguments is
// the clock.
func (r *Releaser) successor(app renga.App, last renga.Release, in renga.Inputs, c renga.Change) renga.Release {
	return renga.Release{
		App: app.ID, AppName: app.Name, Version: last.Version + 1, Inputs: in,
		Description: c.Description, By: c.By, PushID: c.PushID,
		CreatedAt: r.Now().UTC(), Previous: last.Digest,
	}
}

// firstOutcome is the outcome of a new release, which has succeeded already if
// it has no image.
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

// deploy sets the process types of pushed images. It removes those that came
// from the same repository and are no longer declared by its image.
func deploy(in *renga.Inputs, images map[renga.ProcessType]renga.Image) {
	for t, old := range in.Images {
		for _, img := range images {
			if old.PushedTo() == img.PushedTo() {
				delete(in.Images, t)
			}
		}
	}
	maps.Copy(in.Images, images)
}

// deployStored makes the changes that d asks for. A process type that was asked
// for by itself runs the image that was named for it, whatever others declare.
func deployStored(in *renga.Inputs, d renga.Deploy) {
	types := slices.Sorted(maps.Keys(d.Images))
	for _, t := range types {
		if d.Images[t][t].PushedTo() == t {
			deploy(in, d.Images[t])
		}
	}
	for _, t := range types {
		in.Images[t] = d.Images[t][t]
	}
	for _, t := range d.Remove {
		delete(in.Images, t)
	}
}

// deployStoredName describes a release of stored images, as Heroku does.
func deployStoredName(d renga.Deploy) string {
	var said []string
	if len(d.Images) > 0 {
		var all []string
		for _, t := range slices.Sorted(maps.Keys(d.Images)) {
			all = append(all, fmt.Sprintf("%s (%s)", t, shortDigest(d.Images[t][t].Config)))
		}
		said = append(said, "Deployed "+strings.Join(all, ", "))
	}
	if len(d.Remove) > 0 {
		said = append(said, "Removed "+joinTypes(d.Remove))
	}
	return strings.Join(said, "; ")
}

func joinTypes(types []renga.ProcessType) string {
	var all []string
	for _, t := range types {
		all = append(all, string(t))
	}
	return strings.Join(all, ", ")
}

// promote replaces the images by those of another app's release. They keep the
// process type that they were pushed to, so that a later push replaces them.
func promote(in *renga.Inputs, target renga.App, images map[renga.ProcessType]renga.Image) {
	clear(in.Images)
	for t, img := range images {
		img.Repository = target.Name + "/" + string(img.PushedTo())
		in.Images[t] = img
	}
}

// promoteName describes a promotion, as Heroku does.
func promoteName(source renga.App, live renga.ReleaseRecord) string {
	name := fmt.Sprintf("Promote %s %s", source.Name, renga.VersionName(live.Version))
	for _, t := range sortedTypes(live.Images) {
		return name + " " + shortDigest(live.Images[t].Pushed)
	}
	return name
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

// rollBackInputs replaces the parts that a rollback concerns by those of the
// target. Credentials stay those of the add-ons attached now: an old password
// may have been revoked. A config var of then whose name an add-on has now stays
// away, for no name has two values.
func rollBackInputs(in *renga.Inputs, target renga.Inputs, part renga.RollbackPart) {
	old := target.Clone()
	if part != renga.RollbackConfig {
		in.Images = old.Images
	}
	if part != renga.RollbackCode {
		in.Vars = old.Vars
		maps.DeleteFunc(in.Vars, func(name, _ string) bool { return in.HeldBy(name) != "" })
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
