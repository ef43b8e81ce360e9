package registry

import (
	"sync"
	"testing"
	"time"
)

const (
	oneHex   = "1111111111111111111111111111111111111111111111111111111111111111"
	otherHex = "2222222222222222222222222222222222222222222222222222222222222222"
)

// TestARemovalHoldsUpOnlyWhoWantsThatContent, for as long as it takes, and says so.
func TestARemovalHoldsUpOnlyWhoWantsThatContent(t *testing.T) {
	g := newGate(t.TempDir())
	removing, removed := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		done, err := g.remove(oneHex, time.Now(), func() error {
			close(removing)
			<-removed
			return nil
		})
		if !done || err != nil {
			t.Errorf("removed: %t, %v", done, err)
		}
	})
	<-removing
	g.hold("sha256:" + otherHex)() // or this never returns
	if waited := g.longestWait(); waited != 0 {
		t.Errorf("somebody waited %s for content that is not removed", waited)
	}
	held := make(chan time.Time)
	all.Go(func() {
		drop := g.hold("sha256:"+otherHex, "sha256:"+oneHex)
		held <- time.Now()
		drop()
	})
	for waiting := false; !waiting; { // until the other one is held, this one is waited for
		g.mu.Lock()
		waiting = g.held[otherHex] > 0
		g.mu.Unlock()
	}
	ended := time.Now()
	close(removed)
	if at := <-held; at.Before(ended) {
		t.Error("content is held that is being removed")
	}
	all.Wait()
	if waited := g.longestWait(); waited == 0 {
		t.Error("nobody is said to have waited")
	}
}

// TestHeldContentIsNotRemoved until it is let go of.
func TestHeldContentIsNotRemoved(t *testing.T) {
	g := newGate(t.TempDir())
	drop := g.hold("sha256:" + oneHex)
	never := func() error {
		t.Error("it is removed")
		return nil
	}
	if done, err := g.remove(oneHex, time.Now(), never); done || err != nil {
		t.Errorf("removed: %t, %v", done, err)
	}
	drop()
	if done, err := g.remove(oneHex, time.Now(), func() error { return nil }); !done || err != nil {
		t.Errorf("what nobody holds any more stays: %t, %v", done, err)
	}
}
