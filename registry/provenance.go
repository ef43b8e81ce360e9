package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"

	"renga"
)

// Media types of cosign's signatures
// (github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md).
const (
	typeSimpleSigning    = "application/vnd.dev.cosign.simplesigning.v1+json"
	signatureAnnotation  = "dev.cosignproject.cosign/signature"
	signaturePayloadType = "cosign container image signature"
)

// What is read of signatures for one image at the most: whoever may push may push
// many that say nothing.
const (
	maxSignatureManifest = 256 << 10
	maxSignaturePayload  = 32 << 10
	maxSignatures        = 200
)

// provenance tells where images come from, by the storage of all repositories.
type provenance struct {
	ns  distribution.Namespace
	dir string // distribution's root
}

// CheckProvenance is an error of kind Forbidden that says why, unless an app's rules
// allow to release images that are stored in its repositories, or in those of the app
// that they are promoted from.
func (l *Ledger) CheckProvenance(ctx context.Context, app, from renga.App, images map[renga.ProcessType]renga.Image) error {
	p := provenance{l.ns, l.dir}
	for _, img := range images {
		if err := p.check(ctx, app, from.Name, img); err != nil {
			return err
		}
	}
	return nil
}

// check is nil if the app's rules allow to release an image. Its signatures may be in
// any repository of the app, or of the one that it comes from.
func (p provenance) check(ctx context.Context, app renga.App, from string, img renga.Image) error {
	rules := app.Registry.Provenance
	if !rules.On() {
		return nil
	}
	repositories, err := p.repositories(ctx, app.Name, from)
	if err != nil {
		return fmt.Errorf("check where an image of %s comes from: %w", app.Name, err)
	}
	if err := checkLabels(ctx, rules, repositories, img); err != nil {
		return refusedProvenance(app, err)
	}
	if len(rules.Keys) == 0 {
		return nil
	}
	keys, err := rules.PublicKeys()
	if err != nil {
		return err
	}
	s := signatures{app: app.Name, rules: rules, keys: keys}
	return refusedProvenance(app, s.find(ctx, repositories, slices.Compact([]string{img.Pushed, img.Digest})))
}

// refusedProvenance names the app in a refusal; any other error stays as it is.
func refusedProvenance(app renga.App, err error) error {
	if renga.KindOf(err) != renga.Forbidden {
		return err
	}
	return renga.Errorf(renga.Forbidden, "The app %s releases signed or labelled images only: %s", app.Name, renga.MessageOf(err, ""))
}

// openRepository is one that signatures are looked for in.
type openRepository struct {
	storedRepository
	referrers string // the directory of those of its manifests
}

// repositories opens those of some apps; an empty name is none.
func (p provenance) repositories(ctx context.Context, apps ...string) ([]openRepository, error) {
	var all []openRepository
	for i, app := range apps {
		if app == "" || slices.Contains(apps[:i], app) {
			continue
		}
		parts, err := names(filepath.Join(p.dir, repositoryDir(app)))
		if err != nil {
			return nil, err
		}
		for _, part := range parts {
			name := app + "/" + part
			named, err := reference.WithName(name)
			if err != nil {
				continue // none of ours
			}
			repo, err := p.ns.Repository(ctx, named)
			if err != nil {
				return nil, err
			}
			all = append(all, openRepository{storedRepository{repo}, filepath.Join(p.dir, referrersDir(name))})
		}
	}
	return all, nil
}

// checkLabels compares the labels of an image's config with those that are asked for.
func checkLabels(ctx context.Context, rules renga.Provenance, repositories []openRepository, img renga.Image) error {
	if len(rules.Labels) == 0 {
		return nil
	}
	for _, repo := range repositories {
		raw, err := repo.blob(ctx, img.Config, maxConfigBytes)
		if errors.Is(err, errNotStored) {
			continue
		}
		if err != nil {
			return err
		}
		var config imageConfig
		if err := json.Unmarshal(raw, &config); err != nil {
			return renga.Errorf(renga.Forbidden, "its config cannot be read.")
		}
		for name, want := range rules.Labels {
			if config.Config.Labels[name] != want {
				return renga.Errorf(renga.Forbidden, "it lacks the label %s=%s.", clipText(name), clipText(want))
			}
		}
		return nil
	}
	return renga.Errorf(renga.Forbidden, "its config is not stored here.")
}

// signatures looks for a good one.
type signatures struct {
	app    string
	rules  renga.Provenance
	keys   []renga.PublicKey
	looked int
	// reason is why the best one that was found is not good enough.
	reason string
}

// find is nil if there is a signature of one of the digests.
func (s *signatures) find(ctx context.Context, repositories []openRepository, digests []string) error {
	s.reason = "no signature of " + digests[len(digests)-1] + " is stored here. Push the image under another tag, sign it " +
		"by its digest, then push it again."
	for _, dgst := range digests {
		for _, repo := range repositories {
			good, err := s.in(ctx, repo, dgst)
			if good || err != nil {
				return err
			}
		}
	}
	return renga.Errorf(renga.Forbidden, "%s", s.reason)
}

// in looks through the signatures of a digest in one repository: those below cosign's
// tag, and those that refer to it as OCI 1.1 has it.
func (s *signatures) in(ctx context.Context, repo openRepository, dgst string) (bool, error) {
	hex, ok := storedHex(dgst)
	if !ok {
		return false, nil
	}
	tagged, err := repo.tag(ctx, "sha256-"+hex+".sig")
	if err != nil {
		return false, err
	}
	referring, err := names(filepath.Join(repo.referrers, hex))
	if err != nil {
		return false, err
	}
	all := []string{tagged}
	for _, one := range referring {
		all = append(all, "sha256:"+one)
	}
	for _, one := range all {
		if one == "" {
			continue
		}
		good, err := s.manifest(ctx, repo, one, dgst)
		if good || err != nil {
			return good, err
		}
	}
	return false, nil
}

// signatureManifest is a manifest each of whose layers is a signature.
type signatureManifest struct {
	Layers []struct {
		contentRef
		Annotations map[string]string `json:"annotations"`
	} `json:"layers"`
}

// manifest looks through the signatures in a manifest.
func (s *signatures) manifest(ctx context.Context, repo openRepository, at, dgst string) (bool, error) {
	if s.looked++; s.looked > maxSignatures {
		return false, s.tooMany()
	}
	_, body, err := repo.manifest(ctx, at)
	if errors.Is(err, errNotStored) {
		return false, nil // it has gone since
	}
	if err != nil {
		return false, err
	}
	var doc signatureManifest
	if len(body) > maxSignatureManifest || json.Unmarshal(body, &doc) != nil {
		return false, nil
	}
	for _, layer := range doc.Layers {
		if layer.MediaType != typeSimpleSigning {
			continue
		}
		if s.looked++; s.looked > maxSignatures {
			return false, s.tooMany()
		}
		if layer.Size > maxSignaturePayload {
			continue
		}
		payload, err := repo.blob(ctx, layer.Digest, maxSignaturePayload)
		if errors.Is(err, errNotStored) || renga.KindOf(err) == renga.Invalid {
			continue
		}
		if err != nil {
			return false, err
		}
		if s.good(payload, layer.Annotations[signatureAnnotation], dgst) {
			return true, nil
		}
	}
	return false, nil
}

func (s *signatures) tooMany() error {
	return renga.Errorf(renga.Forbidden, "more than %d signatures of this image are stored here. Delete those that nobody needs.",
		maxSignatures)
}

// good tells whether a payload is signed by one of the keys, and for that digest in a
// repository that counts. Nothing of a payload is believed before its signature.
func (s *signatures) good(payload []byte, signature, dgst string) bool {
	if !slices.ContainsFunc(s.keys, func(key renga.PublicKey) bool { return key.Verifies(payload, signature) }) {
		s.reason = "no signature of it is by one of the app's keys."
		return false
	}
	var signed struct {
		Critical struct {
			Identity struct {
				Reference string `json:"docker-reference"`
			} `json:"identity"`
			Image struct {
				Digest string `json:"docker-manifest-digest"`
			} `json:"image"`
			Type string `json:"type"`
		} `json:"critical"`
	}
	switch {
	case json.Unmarshal(payload, &signed) != nil || signed.Critical.Type != signaturePayloadType:
		s.reason = "what is signed is no image."
	case signed.Critical.Image.Digest != dgst:
		s.reason = "the signature is of another image, " + clipText(signed.Critical.Image.Digest) + "."
	case !s.counts(signed.Critical.Identity.Reference):
		s.reason = "it is signed for " + clipText(signed.Critical.Identity.Reference) + ", and that is none of the repositories " +
			"that count for the app."
	default:
		return true
	}
	return false
}

// counts tells whether a signature for a repository counts: for one of the app's own,
// whatever the host is called, and for those that the rules name.
func (s *signatures) counts(repository string) bool {
	if slices.Contains(s.rules.Repositories, repository) {
		return true
	}
	_, path, hosted := strings.Cut(repository, "/")
	app, _, _ := strings.Cut(path, "/")
	return hosted && app == s.app
}
