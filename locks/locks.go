// Package locks holds locks by name: one per app, per tag, per whatever is to be
// changed by one alone.
package locks

import "sync"

// Named are read-write locks by name. The zero value is ready; names that
// nobody holds cost nothing.
type Named struct {
	mu   sync.Mutex
	held map[string]*lock
}

type lock struct {
	sync.RWMutex
	users int // who holds it or waits for it
}

// Lock takes the name for one alone and gives the function that lets it go.
func (n *Named) Lock(name string) (unlock func()) {
	l := n.take(name)
	l.Lock()
	return func() { l.Unlock(); n.leave(name, l) }
}

// RLock takes the name together with other readers.
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
