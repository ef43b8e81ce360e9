package accounts

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"renga"
)

// queue has turns with one place, which is taken, and those who wait for it.
type queue struct {
	t     *testing.T
	turns *hashQueue
	all   sync.WaitGroup
	mu    sync.Mutex
	came  []string
	late  map[string]int
}

func newQueue(t *testing.T) *queue {
	t.Helper()
	q := &queue{t: t, turns: newHashQueue(), late: map[string]int{}}
	q.turns.free = 1
	if err := q.turns.await(t.Context(), "holder"); err != nil {
		t.Fatal(err)
	}
	return q
}

// add lets another wait, and returns when he does.
func (q *queue) add(from, name string) {
	q.all.Go(func() {
		err := q.turns.do(q.t.Context(), from, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.came = append(q.came, name)
		})
		q.mu.Lock()
		defer q.mu.Unlock()
		if renga.KindOf(err) == renga.Unavailable {
			q.late[from]++
		} else if err != nil {
			q.t.Error(err)
		}
	})
	synctest.Wait()
}

func TestAddressesTakeTurnsAndTheLastOfEachIsNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		for n := range 3 {
			q.add("flood", fmt.Sprintf("flood %d", n))
		}
		q.add("owner", "owner")
		q.turns.next()
		q.all.Wait()
		if got := fmt.Sprint(q.came); got != "[flood 2 owner flood 1 flood 0]" {
			t.Errorf("the order was %s", got)
		}
		if q.turns.free != 1 || len(q.turns.waiting) > 0 || len(q.turns.order) > 0 {
			t.Errorf("left is %+v", q.turns)
		}
	})
}

func TestAFloodPushesOutOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		q.add("owner", "owner")
		for n := range 100 {
			q.add("flood", fmt.Sprint(n))
		}
		if q.late["flood"] != 100-perAddress || q.late["owner"] != 0 {
			t.Errorf("turned away were %v", q.late)
		}
		q.turns.next()
		q.all.Wait()
		if q.came[0] != "owner" || q.came[1] != "99" {
			t.Errorf("the order was %v", q.came)
		}
	})
}

func TestATurnThatDoesNotComeIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		q.add("owner", "owner")
		ctx, leave := context.WithCancel(t.Context())
		q.all.Go(func() {
			if err := q.turns.await(ctx, "gone"); err == nil {
				t.Error("a turn came for who had left")
			}
		})
		synctest.Wait()
		leave()
		q.all.Wait() // for maxWait, too
		if q.late["owner"] != 1 || len(q.turns.waiting) > 0 || len(q.turns.order) > 0 {
			t.Errorf("late are %v, left is %+v", q.late, q.turns)
		}
		q.turns.next()
		if q.turns.free != 1 {
			t.Errorf("%d places are free, want 1", q.turns.free)
		}
	})
}
