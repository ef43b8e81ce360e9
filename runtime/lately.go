package runtime

import (
	"sync"
	"time"
)

// lately are things that were told of, by a name each.
type lately struct {
	mu   sync.Mutex
	told map[string]time.Time
}

// news tells whether a thing was not told of for that long, and notes that it is
// now. What is older is forgotten.
func (l *lately) news(name string, now time.Time, long time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for other, at := range l.told {
		if now.Sub(at) >= long {
			delete(l.told, other)
		}
	}
	if _, known := l.told[name]; known {
		return false
	}
	if l.told == nil {
		l.told = map[string]time.Time{}
	}
	l.told[name] = now
	return true
}

// has tells whether a thing was told of.
func (l *lately) has(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, known := l.told[name]
	return known
}
