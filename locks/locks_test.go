package locks_test

import (
	"sync"
	"testing"

	"renga/locks"
)

func TestOneAtATimeHoldsAName(t *testing.T) {
	var named locks.Named
	var all sync.WaitGroup
	counts := map[string]*int{"a": new(int), "b": new(int)}
	for range 100 {
		for name, n := range counts {
			all.Go(func() {
				defer named.Lock(name)()
				*n++
			})
			all.Go(func() {
				defer named.RLock(name)()
				_ = *n
			})
		}
	}
	all.Wait()
	for name, n := range counts {
		if *n != 100 {
			t.Errorf("%s was counted to %d, want 100", name, *n)
		}
	}
}

func TestReadersShareANameAndOthersDoNotWait(t *testing.T) {
	var named locks.Named
	defer named.RLock("a")()
	defer named.RLock("a")() // would wait for ever
	defer named.Lock("b")()
}
