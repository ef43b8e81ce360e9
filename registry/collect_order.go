package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// plan is what is left of a repository once all is marked that is needed. What
// refers to something needed, as a signature does, is needed as well.
func (m *marking) plan() (repositoryPlan, error) {
	p := repositoryPlan{name: m.name, docs: map[string]namedContent{}, leads: map[string][]string{}}
	for _, hex := range slices.Sorted(maps.Keys(m.manifests)) {
		if _, needed := m.needed[hex]; needed {
			continue
		}
		named, err := m.read(hex)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p, fmt.Errorf("manifest sha256:%s: %w", hex, err)
		}
		p.docs[hex] = named
	}
	if err := m.needReferrers(p.docs); err != nil {
		return p, err
	}
	for hex := range p.docs {
		if _, needed := m.needed[hex]; needed {
			delete(p.docs, hex)
		}
	}
	for hex, named := range p.docs {
		p.leads[hex] = append(p.leads[hex], named.children...)
		if named.subject != "" {
			p.leads[named.subject] = append(p.leads[named.subject], hex)
		}
	}
	p.manifests = p.order()
	for _, hex := range slices.Sorted(maps.Keys(m.layers)) {
		if _, needed := m.needed[hex]; !needed {
			p.layers = append(p.layers, hex)
		}
	}
	return p, nil
}

// needReferrers marks what refers to something needed, and what refers to that.
func (m *marking) needReferrers(docs map[string]namedContent) error {
	for again := true; again; {
		again = false
		for hex, named := range docs {
			_, done := m.needed[hex]
			_, wanted := m.needed[named.subject]
			if done || !wanted {
				continue
			}
			again = true
			if err := m.need(hex); err != nil {
				return err
			}
		}
	}
	return nil
}

// order gives the manifests so that each comes before those that it leads to. A
// manifest that turns out to be in use keeps those, which must still be there then.
func (p repositoryPlan) order() []string {
	var order []string
	seen := map[string]bool{}
	var walk func(hex string)
	walk = func(hex string) {
		if _, mine := p.docs[hex]; !mine || seen[hex] {
			return
		}
		seen[hex] = true
		for _, next := range p.leads[hex] {
			walk(next)
		}
		order = append(order, hex)
	}
	for _, hex := range slices.Sorted(maps.Keys(p.docs)) {
		walk(hex)
	}
	slices.Reverse(order)
	return order
}

// withAll is a manifest, all manifests that stay with it, and what they name.
func (p repositoryPlan) withAll(hex string) map[string]bool {
	all := map[string]bool{}
	var walk func(hex string)
	walk = func(hex string) {
		if all[hex] {
			return
		}
		all[hex] = true
		for _, part := range p.docs[hex].parts {
			all[part] = true
		}
		for _, next := range p.leads[hex] {
			walk(next)
		}
	}
	walk(hex)
	return all
}
