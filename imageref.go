package renga

import (
	"net/url"
	"regexp"
	"strings"
)

// ImageRef names an image in another registry, in full: DockerHub's short names are
// spelled out.
type ImageRef struct {
	Host       string // "ghcr.io", "registry.example:5000"
	Repository string // "acme/shop"
	Tag        string // empty if there is a digest alone
	Digest     string // "sha256:…"; empty if the tag says which image it is
}

// DockerHub is the host that image references without one mean.
const DockerHub = "docker.io"

var (
	refRepository = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	refTag        = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	tagPattern    = regexp.MustCompile(`^[A-Za-z0-9_*?][A-Za-z0-9._*?-]{0,127}$`)
	refHost       = regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$`)
)

// maxRefLength is more than host, repository, tag and digest may have together.
const maxRefLength = 700

// ParseImageRef reads "[host/]repository[:tag][@digest]" as docker pull does:
// without a host Docker Hub is meant, and without tag and digest the tag latest.
func ParseImageRef(text string) (ImageRef, error) {
	bad := Errorf(Invalid, "%q names no image; they are like ghcr.io/acme/shop:v1 or ghcr.io/acme/shop@sha256:….",
		Clip(text, 100))
	if len(text) > maxRefLength {
		return ImageRef{}, bad
	}
	name, digest, byDigest := strings.Cut(text, "@")
	if byDigest && !ValidDigest(digest) {
		return ImageRef{}, bad
	}
	tag := ""
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		name, tag = name[:i], name[i+1:]
		if !refTag.MatchString(tag) {
			return ImageRef{}, bad
		}
	}
	host, repository, ok := SplitRepository(name)
	if !ok {
		return ImageRef{}, bad
	}
	if tag == "" && digest == "" {
		tag = "latest"
	}
	return ImageRef{Host: host, Repository: repository, Tag: tag, Digest: digest}, nil
}

// SplitRepository reads "[host/]repository"; false if that is no valid name.
func SplitRepository(name string) (host, repository string, ok bool) {
	host, repository, two := strings.Cut(name, "/")
	if !two || !strings.ContainsAny(host, ".:") && host != "localhost" {
		host, repository = DockerHub, name
	}
	host = NormalHost(host)
	if host == DockerHub && !strings.Contains(repository, "/") {
		repository = "library/" + repository
	}
	ok = len(name) <= maxRefLength && len(repository) <= 255 && ValidSourceHost(host) && refRepository.MatchString(repository)
	return host, repository, ok
}

// NormalHost is the one spelling of a registry's host.
func NormalHost(host string) string {
	switch host = strings.ToLower(strings.TrimSpace(host)); host {
	case "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com":
		return DockerHub
	}
	return host
}

// ValidSourceHost tells whether that is a registry's host, with or without a port.
func ValidSourceHost(host string) bool {
	u, err := url.Parse("//" + host)
	return err == nil && u.Host == host && len(host) <= 255 && refHost.MatchString(host)
}

// Name is the repository with its host.
func (r ImageRef) Name() string { return r.Host + "/" + r.Repository }

// String is the whole reference.
func (r ImageRef) String() string {
	s := r.Name()
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// ValidTag tells whether tag may be an image's: up to 128 letters, digits, dots,
// dashes and underscores (OCI distribution spec, "Pulling manifests").
func ValidTag(tag string) bool { return refTag.MatchString(tag) }
