package runtime

import (
	"math/rand/v2"
	"sync"

	"renga"
)

// holders are the one-off dynos that somebody in this process sees to, by the
// dyno's id.
type holders struct {
	mu   sync.Mutex
	held map[string]holding
}

// holding is one of them: nobody else gets its name.
type holding struct {
	app  renga.AppID
	name string
}

func (h *holders) holds(dyno string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.held[dyno]
	return ok
}

// hold finds a name for a dyno of an app that is not taken, and holds on to the
// dyno until it is released.
func (h *holders) hold(app renga.AppID, t renga.ProcessType, dyno string, taken map[string]bool) (name string, release func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, other := range h.held {
		if other.app == app {
			taken[other.name] = true
		}
	}
	if len(taken) >= maxOneOffs {
		return "", nil, renga.Errorf(renga.Invalid, "The app has %d one-off dynos already; wait until one has ended, or stop one.", len(taken))
	}
	for name == "" || taken[name] {
		name = renga.DynoName(t, 1000+rand.IntN(9000))
	}
	h.held[dyno] = holding{app, name}
	return name, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.held, dyno)
	}, nil
}
