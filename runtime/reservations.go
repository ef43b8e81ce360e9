package runtime

import (
	"maps"
	"math/rand/v2"
	"sync"

	"renga"
)

// reservations are the names of one-off dynos that this process starts or that have a
// client here, by the dyno's id.
type reservations struct {
	mu     sync.Mutex
	byDyno map[string]reservation
}

// reservation is one of them: no other dyno of the app gets its name.
type reservation struct {
	app  renga.AppID
	name string
}

// has tells whether a dyno has a name reserved.
func (r *reservations) has(dyno string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.byDyno[dyno]
	return ok
}

// reserve gives a dyno of an app a name that is neither taken nor reserved, until it is
// given back.
func (r *reservations) reserve(
	app renga.AppID, t renga.ProcessType, dyno string, taken map[string]bool,
) (name string, giveBack func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken = maps.Clone(taken)
	for _, other := range r.byDyno {
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
	r.byDyno[dyno] = reservation{app, name}
	return name, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.byDyno, dyno)
	}, nil
}
