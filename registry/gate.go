package registry

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// Gate keeps content from being removed while somebody counts on it. Whoever is
// about to tell a client that content is there, or to write something that
// names it, holds its digests meanwhile; a collection removes nothing that is
// held, and nobody waits for anything but the very digest that is being removed.
//
// Content that was held stays afterwards, too, for as long as a collection's
// grace: holding sets the time of the content's file. So a promise outlives a
// restart without a list of promises.
type Gate struct {
	root     string
	use      *usage // of the same storage
	mu       sync.Mutex
	removed  sync.Cond // something that was being removed no longer is
	held     map[string]int
	removing map[string]bool
	waited   time.Duration // the longest that somebody waited, since it was asked for
}

// newGate makes the gate of the storage below root.
func newGate(root string) *Gate {
	g := &Gate{root: root, use: newUsage(root), held: map[string]int{}, removing: map[string]bool{}}
	g.removed.L = &g.mu
	return g
}

// hold keeps content until drop is called, and for the grace after. What is not
// there may be named as well: it stays once it is. Digests of other algorithms
// are left out, for nothing is stored under them.
func (g *Gate) hold(digests ...string) (drop func()) {
	var all []string
	for _, dgst := range digests {
		if hex, ok := storedHex(dgst); ok {
			all = append(all, hex)
		}
	}
	g.mu.Lock()
	for _, hex := range all {
		g.await(hex)
		g.held[hex]++
	}
	g.mu.Unlock()
	g.touch(all)
	return func() {
		g.touch(all) // the grace begins when the use has ended
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, hex := range all {
			if g.held[hex]--; g.held[hex] <= 0 {
				delete(g.held, hex)
			}
		}
	}
}

// await waits until content is not being removed. The lock is held, but for the wait.
func (g *Gate) await(hex string) {
	if !g.removing[hex] {
		return
	}
	begun := time.Now()
	for g.removing[hex] {
		g.removed.Wait()
	}
	g.waited = max(g.waited, time.Since(begun))
}

// longestWait is the longest that anybody has waited since it was asked for last.
func (g *Gate) longestWait() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	longest := g.waited
	g.waited = 0
	return longest
}

// touch notes that content was used just now. What cannot be noted is not
// there, or is looked at again by whoever stores a manifest that names it.
func (g *Gate) touch(hexes []string) {
	now := time.Now()
	for _, hex := range hexes {
		_ = os.Chtimes(g.file(hex), now, now)
	}
}

// usedAfter tells whether content was held after a time; false for what is not
// there.
func (g *Gate) usedAfter(hex string, at time.Time) bool {
	info, err := os.Stat(g.file(hex))
	return err == nil && info.ModTime().After(at)
}

// remove calls do, which removes something of that digest, unless the content
// is held or was after the time.
func (g *Gate) remove(hex string, after time.Time, do func() error) (done bool, err error) {
	if !g.begin(hex) {
		return false, nil
	}
	defer g.end(hex)
	if g.usedAfter(hex, after) {
		return false, nil
	}
	return true, do()
}

func (g *Gate) begin(hex string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held[hex] > 0 || g.removing[hex] {
		return false
	}
	g.removing[hex] = true
	return true
}

func (g *Gate) end(hex string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.removing, hex)
	g.removed.Broadcast()
}

// mostHeld bounds the manifests that are read for one that is pushed.
const mostHeld = 1000

// holdManifest holds a manifest that is being pushed, and all that it names.
func (r *Registry) holdManifest(body []byte) (drop func()) {
	drops := []func(){r.gate.hold(digest.FromBytes(body).String())}
	left := mostHeld
	var hold func(body []byte)
	hold = func(body []byte) {
		named, err := namedIn(body)
		if err != nil {
			return // and is refused
		}
		var all []string
		for _, hex := range slices.Concat(named.parts, named.children, []string{named.subject}) {
			all = append(all, "sha256:"+hex)
		}
		drops = append(drops, r.gate.hold(all...))
		for _, hex := range named.children {
			left--
			if info, err := os.Stat(r.gate.file(hex)); left < 0 || err != nil || info.Size() > maxManifestBytes {
				continue
			}
			if child, err := os.ReadFile(r.gate.file(hex)); err == nil {
				hold(child)
			}
		}
	}
	hold(body)
	return func() {
		for _, drop := range drops {
			drop()
		}
	}
}

func (g *Gate) file(hex string) string { return filepath.Join(g.root, blobData(hex)) }

// storedHex is the digits of a sha256 digest.
func storedHex(dgst string) (string, bool) {
	hex, ok := strings.CutPrefix(dgst, "sha256:")
	return hex, ok && validHex(hex)
}

func validHex(hex string) bool {
	return len(hex) == 64 && !slices.ContainsFunc([]byte(hex), func(c byte) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'f')
	})
}
