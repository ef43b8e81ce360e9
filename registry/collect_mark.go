package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"renga"
)

// repositoryPlan is what one repository may lose: manifests, those that lead to
// others first, and links to layers.
type repositoryPlan struct {
	name      string
	manifests []string
	layers    []string
	docs      map[string]namedContent // of the manifests
	leads     map[string][]string     // from one of them to those that stay with it
}

// namedContent is what a manifest names.
type namedContent struct {
	parts    []string // config and layers
	children []string // manifests
	subject  string   // empty for none
}

// marking is one repository while its content is marked.
type marking struct {
	*collection
	name      string
	manifests map[string]bool // linked here
	layers    map[string]bool // linked here
	// needed has what is needed of both; true for a manifest whose content is, too.
	needed map[string]bool
}

// markApp marks what an app needs, and plans what it may lose. Unless the store
// knows the app, that is nothing but what is neither tagged nor young, and with
// releases nothing at all.
func (c *collection) markApp(name string, w wantedApp) error {
	defer c.reg.apps.RLock(name)()
	plan := appPlan{expired: map[string][]int{}, renames: c.reg.renames.of(name)}
	parts, err := names(c.reg.driver.file(repositoryDir(name)))
	if err != nil {
		return err
	}
	keepAll := w.app.ID == "" && slices.Contains(parts, string(releasesPart))
	stay := w.imagesThatStay()
	for _, part := range processesFirst(parts) {
		m, err := c.openMarking(name + "/" + part)
		if err != nil {
			return err
		}
		if err := m.markRepository(part, w, stay, keepAll); err != nil {
			return fmt.Errorf("repository %s: %w", m.name, err)
		}
		repository, err := m.plan()
		if err != nil {
			return err
		}
		plan.repositories = append(plan.repositories, repository)
	}
	for i, rec := range w.releases {
		for _, img := range rec.Images {
			if hex, ok := storedHex(img.Digest); ok && !w.keeps[i] {
				plan.expired[hex] = append(plan.expired[hex], rec.Version)
			}
		}
	}
	c.plans[name] = plan
	if w.app.ID != "" {
		c.images[w.app.ID] = map[string]bool{}
		for hex := range stay {
			c.images[w.app.ID]["sha256:"+hex] = true
		}
	}
	return nil
}

// imagesThatStay are the images of the releases that keep them, as they run and as
// they were pushed.
func (w wantedApp) imagesThatStay() map[string]bool {
	stay := map[string]bool{}
	for i, rec := range w.releases {
		for _, img := range rec.Images {
			for _, dgst := range []string{img.Digest, img.Pushed} {
				if hex, ok := storedHex(dgst); ok && w.keeps[i] {
					stay[hex] = true
				}
			}
		}
	}
	return stay
}

// processesFirst orders an app's repositories: what is tagged in those that are
// pushed to keeps its place in the releases, too.
func processesFirst(parts []string) []string {
	ordered := slices.DeleteFunc(slices.Clone(parts), func(part string) bool {
		return part == string(releasesPart) || renga.ValidateProcessType(renga.ProcessType(part)) != nil
	})
	if slices.Contains(parts, string(releasesPart)) {
		ordered = append(ordered, string(releasesPart))
	}
	return ordered
}

func (c *collection) openMarking(repository string) (*marking, error) {
	m := &marking{collection: c, name: repository, needed: map[string]bool{}}
	var err error
	if m.manifests, err = linksIn(c.reg.driver.file(revisionsDir(repository))); err != nil {
		return nil, err
	}
	m.layers, err = linksIn(c.reg.driver.file(repositoryDir(repository) + "/_layers/sha256"))
	return m, err
}

func linksIn(dir string) (map[string]bool, error) {
	all, err := names(dir)
	set := make(map[string]bool, len(all))
	for _, hex := range all {
		if validHex(hex) {
			set[hex] = true
		}
	}
	return set, err
}

// markRepository marks what a repository needs; what is tagged is added to what
// stays.
func (m *marking) markRepository(part string, w wantedApp, stay map[string]bool, keepAll bool) error {
	tagged, err := m.tagged()
	if err != nil {
		return err
	}
	for hex := range m.manifests {
		if keepAll || stay[hex] || m.reg.gate.usedAfter(hex, m.fresh) {
			if err := m.need(hex); err != nil {
				return err
			}
		}
	}
	if part == string(releasesPart) {
		if err := m.needReleases(tagged, w); err != nil {
			return err
		}
	} else {
		for _, hex := range tagged {
			if err := m.need(hex); err != nil {
				return err
			}
		}
		for hex := range m.needed {
			if m.manifests[hex] {
				stay[hex] = true
			}
		}
	}
	if keepAll {
		for hex := range m.layers {
			m.needLeaf(hex)
		}
	}
	return nil
}

// tagged are the manifests that tags name.
func (m *marking) tagged() ([]string, error) {
	dir := m.reg.driver.file(repositoryDir(m.name) + "/_manifests/tags")
	tags, err := names(dir)
	var all []string
	for _, tag := range tags {
		link, readErr := os.ReadFile(filepath.Join(dir, tag, "current", "link"))
		if errors.Is(readErr, fs.ErrNotExist) {
			continue // removed meanwhile, or left by a crash
		}
		if readErr != nil {
			return nil, readErr
		}
		if hex, ok := storedHex(strings.TrimSpace(string(link))); ok {
			all = append(all, hex)
		}
	}
	return all, err
}

// needReleases marks the releases of an app: what each says of itself, and the
// images of those that keep them. One that the store does not know keeps them.
func (m *marking) needReleases(tagged []string, w wantedApp) error {
	old := map[string]bool{}
	for i, rec := range w.releases {
		if hex, ok := storedHex(rec.Digest); ok {
			tagged = append(tagged, hex)
			old[hex] = !w.keeps[i]
		}
	}
	for _, hex := range tagged {
		if !old[hex] {
			if err := m.need(hex); err != nil {
				return err
			}
			continue
		}
		content, err := os.ReadFile(m.reg.gate.file(hex))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		x, err := parseLedgerIndex(content)
		if err != nil {
			return fmt.Errorf("release sha256:%s: %w", hex, err)
		}
		m.needLeaf(hex)
		artifact, _ := storedHex(x.Artifact.Digest.String())
		if err := m.need(artifact); err != nil {
			return err
		}
	}
	return nil
}

// need marks a manifest and all that it names, as far as the repository has it: a
// manifest may name anything.
func (m *marking) need(hex string) error {
	if m.needed[hex] || !m.manifests[hex] && !m.layers[hex] {
		return nil
	}
	m.needed[hex], m.marked[hex] = true, true
	named, err := m.read(hex)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist) || !m.manifests[hex]:
		return nil // a link to nothing, or nothing that can be had as a manifest
	default:
		return fmt.Errorf("manifest sha256:%s: %w", hex, err)
	}
	for _, part := range named.parts {
		m.needLeaf(part)
	}
	for _, child := range named.children {
		if err := m.need(child); err != nil {
			return err
		}
	}
	return nil
}

// needLeaf marks what names nothing else.
func (m *marking) needLeaf(hex string) {
	if !m.layers[hex] && !m.manifests[hex] {
		return
	}
	m.marked[hex] = true
	if _, marked := m.needed[hex]; !marked {
		m.needed[hex] = false
	}
}

// read reads what a manifest names.
func (c *collection) read(hex string) (namedContent, error) { return readNamed(c.reg.gate.file(hex)) }

// readNamed reads what a manifest in a file names.
func readNamed(file string) (namedContent, error) {
	info, err := os.Stat(file)
	if err != nil {
		return namedContent{}, err
	}
	if info.Size() > maxManifestBytes {
		return namedContent{}, errors.New("it is too large for a manifest")
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return namedContent{}, err
	}
	return namedIn(content)
}

// namedIn parses what a manifest names.
func namedIn(content []byte) (namedContent, error) {
	var doc struct {
		manifestDoc
		Subject *contentRef `json:"subject"`
	}
	if err := json.Unmarshal(content, &doc); err != nil {
		return namedContent{}, err
	}
	var n namedContent
	if doc.Config != nil {
		doc.Layers = append(doc.Layers, *doc.Config)
	}
	for _, l := range doc.Layers {
		if hex, ok := storedHex(l.Digest); ok {
			n.parts = append(n.parts, hex)
		}
	}
	for _, child := range doc.Manifests {
		if hex, ok := storedHex(child.Digest); ok {
			n.children = append(n.children, hex)
		}
	}
	if doc.Subject != nil {
		n.subject, _ = storedHex(doc.Subject.Digest)
	}
	return n, nil
}

// markAnywhere marks a manifest and what it names in whatever repository.
func (c *collection) markAnywhere(hex string) error {
	c.marked[hex] = true
	named, err := c.read(hex)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("manifest sha256:%s: %w", hex, err)
	}
	for _, part := range named.parts {
		c.marked[part] = true
	}
	for _, child := range named.children {
		if err := c.markAnywhere(child); err != nil {
			return err
		}
	}
	return nil
}
