package registry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

// Media types that are refused, or of layers that may be stored elsewhere.
const (
	typeSchema1       = "application/vnd.docker.distribution.manifest.v1+json"
	typeSchema1Signed = "application/vnd.docker.distribution.manifest.v1+prettyjws"
	typeForeignLayer  = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
)

// urlLayerTypes are the types of layers whose URLs distribution looks at.
var urlLayerTypes = []string{
	typeForeignLayer,
	"application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip",
	"application/vnd.oci.image.layer.nondistributable.v1.tar",
	"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
}

// checkManifest says what is wrong with a manifest by itself, whatever is
// stored. Distribution would answer most of it with 500.
func checkManifest(mediaType string, body []byte) error {
	if mediaType == typeSchema1 || mediaType == typeSchema1Signed {
		return errSchema1
	}
	var doc manifestDoc
	if err := json.Unmarshal(body, &doc); err != nil {
		return badManifest("it cannot be read (%s)", jsonReason(err))
	}
	switch {
	case doc.SchemaVersion == 1:
		return errSchema1
	case doc.SchemaVersion != 2:
		return badManifest("its schemaVersion is %d and must be 2", doc.SchemaVersion)
	}
	if err := checkSubject(body); err != nil {
		return err
	}
	switch {
	case isIndex(mediaType):
		return checkRefs("image", doc.Manifests)
	case doc.Config == nil:
		return badManifest("it has no config")
	}
	if err := checkRefs("config", []contentRef{*doc.Config}); err != nil {
		return err
	}
	if err := checkRefs("layer", doc.Layers); err != nil {
		return err
	}
	return checkURLs(doc.Layers)
}

// checkSubject checks what the list of referrers takes from a manifest.
func checkSubject(body []byte) error {
	one, err := referrerOf(body)
	if err != nil {
		return badManifest("it cannot be read (%s)", jsonReason(err))
	}
	if one.subject != nil {
		return checkRefs("subject", []contentRef{*one.subject})
	}
	return nil
}

func isIndex(mediaType string) bool { return mediaType == typeOCIIndex || mediaType == typeDockerList }

func checkRefs(what string, refs []contentRef) error {
	for i, ref := range refs {
		if err := digest.Digest(ref.Digest).Validate(); err != nil {
			return badManifest("the digest %q of its %s %d is none (%s)", clipText(ref.Digest), what, i+1, err)
		}
		if ref.Size < 0 {
			return badManifest("the size of its %s %d is %d", what, i+1, ref.Size)
		}
	}
	return nil
}

// checkURLs checks layers that are stored elsewhere.
func checkURLs(layers []contentRef) error {
	for i, l := range layers {
		if !slices.Contains(urlLayerTypes, l.MediaType) {
			continue
		}
		if l.MediaType == typeForeignLayer && len(l.URLs) == 0 {
			return badManifest("its layer %d is a foreign one and has no URLs. Push the image with all its layers", i+1)
		}
		for _, text := range l.URLs {
			u, err := url.Parse(text)
			if err != nil || (u.Scheme != "http" && u.Scheme != "https") || strings.Contains(text, "#") {
				return badManifest("a URL of its layer %d is no http or https URL without a fragment", i+1)
			}
		}
	}
	return nil
}

// badManifest is the answer to a manifest that nobody could use.
func badManifest(format string, args ...any) refusal {
	return refusal{
		http.StatusBadRequest, "MANIFEST_INVALID", "The manifest is not valid: " + fmt.Sprintf(format, args...) + ".",
	}
}
