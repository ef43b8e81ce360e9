package imports

import "sync"

// underWay is what is worked on, as much at once as there are slots. What is done can be
// taken again only after the next forget: so a list that was read before it was done
// leads nobody to do it twice.
type underWay[K comparable] struct {
	slots chan struct{}

	mu   sync.Mutex
	done map[K]bool // false while it is worked on
}

func newUnderWay[K comparable](slots int) *underWay[K] {
	return &underWay[K]{slots: make(chan struct{}, slots), done: map[K]bool{}}
}

// forget forgets what is done. It comes before a new list is read.
func (u *underWay[K]) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for k, done := range u.done {
		if done {
			delete(u.done, k)
		}
	}
}

// take is false if there is no slot, or k was taken since the list was read.
func (u *underWay[K]) take(k K) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, taken := u.done[k]; taken {
		return false
	}
	select {
	case u.slots <- struct{}{}:
		u.done[k] = false
		return true
	default:
		return false
	}
}

func (u *underWay[K]) finish(k K) {
	u.mu.Lock()
	u.done[k] = true
	u.mu.Unlock()
	<-u.slots
}
