package builds

import "renga"

// description describes the release of a build, as Heroku does.
func description(b renga.Build) string {
	if b.Source.Commit == "" {
		return "" // then that of an image's push
	}
	return "Deploy " + renga.Head(b.Source.Commit, 8)
}

// labels are those of OCI that say where an image comes from (image-spec v1.1,
// annotations.md, "Pre-Defined Annotation Keys").
func labels(b renga.Build) map[string]string {
	all := map[string]string{}
	for name, value := range map[string]string{
		"org.opencontainers.image.revision": b.Source.Commit,
		"org.opencontainers.image.ref.name": b.Source.Branch,
		"org.opencontainers.image.authors":  b.Source.Author,
		"org.opencontainers.image.source":   b.Source.URL,
	} {
		if value != "" {
			all[name] = value
		}
	}
	return all
}

// runEnv is what dynos learn of their build.
func runEnv(b renga.Build) map[string]string {
	if b.Source.Commit == "" {
		return nil
	}
	return map[string]string{"HEROKU_SLUG_COMMIT": b.Source.Commit, "HEROKU_BUILD_COMMIT": b.Source.Commit}
}
