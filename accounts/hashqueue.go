package accounts

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"renga"
)

const (
	// maxWait is how long a check may wait for its turn.
	maxWait = 10 * time.Second
	// perAddress bounds the waiting checks of one address.
	perAddress = 16
	// mostAtOnce bounds the memory that checks take together: 32 MiB each.
	mostAtOnce = 4
)

// hashQueue lets few checks run at once, for each takes all of a CPU and much
// memory, and anybody can cause one. Waiting addresses take turns, so that none
// can fill the queue; of one address the latest check is next, and the oldest
// is dropped if there are too many.
type hashQueue struct {
	mu      sync.Mutex
	free    int
	order   []string // addresses where somebody waits; the first is next
	waiting map[string][]*hashTurn
}

// hashTurn is told once: true when its turn has come, false if it never will.
type hashTurn struct{ ready chan bool }

// newHashQueue leaves half of the CPUs to all the rest.
func newHashQueue() *hashQueue {
	return &hashQueue{free: min(max(runtime.GOMAXPROCS(0)/2, 1), mostAtOnce), waiting: map[string][]*hashTurn{}}
}

// do hashes when it is the address's turn.
func (t *hashQueue) do(ctx context.Context, from string, hash func()) error {
	if err := t.await(ctx, from); err != nil {
		return err
	}
	defer t.next()
	hash()
	return nil
}

func (t *hashQueue) await(ctx context.Context, from string) error {
	mine := t.enqueue(from)
	if mine == nil {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	select {
	case came := <-mine.ready:
		if came {
			return nil
		}
	case <-waiting.Done():
		if !t.leave(from, mine) && <-mine.ready { // it came at that moment
			t.next()
		}
		if ctx.Err() != nil {
			return fmt.Errorf("wait for a turn to check a password: %w", ctx.Err())
		}
	}
	return renga.Errorf(renga.Unavailable, "Too many people log in at once; try again in a moment.")
}

// enqueue takes a free place and returns nil, or a turn to wait for.
func (t *hashQueue) enqueue(from string) *hashTurn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free > 0 {
		t.free--
		return nil
	}
	mine, those := &hashTurn{make(chan bool, 1)}, t.waiting[from]
	if len(those) == 0 {
		t.order = append(t.order, from)
	}
	if len(those) == perAddress {
		those[0].ready <- false
		those = those[1:]
	}
	t.waiting[from] = append(those, mine)
	return mine
}

// next gives the place to the next check.
func (t *hashQueue) next() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.order) == 0 {
		t.free++
		return
	}
	from := t.order[0]
	t.order = t.order[1:]
	those := t.waiting[from]
	last := len(those) - 1
	those[last].ready <- true
	if t.waiting[from] = those[:last]; last > 0 {
		t.order = append(t.order, from) // behind the others
	} else {
		delete(t.waiting, from)
	}
}

// leave gives a turn up; false if it was told already.
func (t *hashQueue) leave(from string, mine *hashTurn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting[from], mine)
	if i < 0 {
		return false
	}
	if t.waiting[from] = slices.Delete(t.waiting[from], i, i+1); len(t.waiting[from]) == 0 {
		delete(t.waiting, from)
		t.order = slices.DeleteFunc(t.order, func(one string) bool { return one == from })
	}
	return true
}
