package imports

import "sync"

// inHand is what is worked on, as much at once as there are slots. What is done can be
// taken again only after the next forget: so a list that was read before it was done
// leads nobody to do it twice.
type inHand[K comparable] struct {
	slots chan struct{}

	mu   sync.Mutex
	done map[K]bool // false while it is worked on
}

func newInHand[K comparable](slots int) *inHand[K] {
	return &inHand[K]{slots: make(chan struct{}, slots), done: map[K]bool{}}
}

// forget forgets what is done. It comes before a new list is read.
func (h *inHand[K]) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, done := range h.done {
		if done {
			delete(h.done, k)
		}
	}
}

// take is false if there is no slot, or k was taken since the list was read.
func (h *inHand[K]) take(k K) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, taken := h.done[k]; taken {
		return false
	}
	select {
	case h.slots <- struct{}{}:
		h.done[k] = false
		return true
	default:
		return false
	}
}

func (h *inHand[K]) finish(k K) {
	h.mu.Lock()
	h.done[k] = true
	h.mu.Unlock()
	<-h.slots
}
