package runtime

import (
	"sync"
	"time"
)

// r15Pause is the least time between two times that a dyno is told that it used
// too much memory: a server whose children die one after the other must not
// fill its log with that.
const r15Pause = 20 * time.Second

// heard takes what the engine tells. A process that is killed for lack of memory
// is told of at once, for the dyno may go on without it.
func (m *Manager) heard(ev Event) {
	if i := ev.Instance; ev.OutOfMemory && m.starved.news(i.ID, m.opts.Now()) {
		m.say(ev.App, i.Name, "%s", r15(i))
	}
	m.Wake(ev.App)
}

func r15(i Instance) string {
	return "Error R15 (Memory quota vastly exceeded) -> The process used more memory than " + i.Size + " allows"
}

// starved are the instances that were told of lately.
type starved struct {
	mu   sync.Mutex
	told map[string]time.Time // by the engine's id
}

// news tells whether an instance was not told of lately, and notes that it is
// now.
func (s *starved) news(id string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, at := range s.told {
		if now.Sub(at) >= r15Pause {
			delete(s.told, other)
		}
	}
	if _, known := s.told[id]; known {
		return false
	}
	if s.told == nil {
		s.told = map[string]time.Time{}
	}
	s.told[id] = now
	return true
}
