package registry

import "sync"

// keyedLocks are read-write locks by name. The zero value is ready; names that
// nobody holds cost nothing.
type keyedLocks struct {
	mu   sync.Mutex
	held map[string]*keyedLock
}

type keyedLock struct {
	sync.RWMutex
	users int // who holds it or waits for it
}

// lock takes key for one alone and gives the function that lets it go.
func (k *keyedLocks) lock(key string) (unlock func()) {
	l := k.take(key)
	l.Lock()
	return func() { l.Unlock(); k.leave(key, l) }
}

// rlock takes key together with other readers.
func (k *keyedLocks) rlock(key string) (unlock func()) {
	l := k.take(key)
	l.RLock()
	return func() { l.RUnlock(); k.leave(key, l) }
}

func (k *keyedLocks) take(key string) *keyedLock {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held == nil {
		k.held = map[string]*keyedLock{}
	}
	l := k.held[key]
	if l == nil {
		l = &keyedLock{}
		k.held[key] = l
	}
	l.users++
	return l
}

func (k *keyedLocks) leave(key string, l *keyedLock) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(k.held, key)
	}
}
