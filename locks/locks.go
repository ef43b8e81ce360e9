// Package locks gives locks by name: for an app, a tag, or whatever else must
// be changed by one caller at a time.
package locks

import "sync"

// Named are read-write locks by name. The zero value is ready. Names that are
// not locked take no memory.
type Named struct {
	mu   sync.Mutex
	held map[string]*lock
}

type lock struct {
	sync.RWMutex
	users int // who holds it or waits for it
}

// Lock locks the name for writing, and returns the function that unlocks it.
func (n *Named) Lock(name string) (unlock func()) {
	l := n.take(name)
	l.Lock()
	return func() { l.Unlock(); n.leave(name, l) }
}

// RLock locks the name for reading, and returns the function that unlocks it.
func (n *Named) RLock(name string) (unlock func()) {
	l := n.take(name)
	l.RLock()
	return func() { l.RUnlock(); n.leave(name, l) }
}

func (n *Named) take(name string) *lock {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.held == nil {
		n.held = map[string]*lock{}
	}
	l := n.held[name]
	if l == nil {
		l = &lock{}
		n.held[name] = l
	}
	l.users++
	return l
}

func (n *Named) leave(name string, l *lock) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(n.held, name)
	}
}
