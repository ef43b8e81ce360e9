package runtime

import (
	"sync"
	"time"
)

// throttle keeps the same thing, by its name, from being told too often.
type throttle struct {
	mu     sync.Mutex
	toldAt map[string]time.Time
}

// allow tells whether a thing may be told now, for it was not in the time before, and
// notes that it is. What was told earlier is forgotten.
func (t *throttle) allow(name string, now time.Time, pause time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for other, at := range t.toldAt {
		if now.Sub(at) >= pause {
			delete(t.toldAt, other)
		}
	}
	if _, known := t.toldAt[name]; known {
		return false
	}
	if t.toldAt == nil {
		t.toldAt = map[string]time.Time{}
	}
	t.toldAt[name] = now
	return true
}

// has tells whether a thing was told.
func (t *throttle) has(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, known := t.toldAt[name]
	return known
}
