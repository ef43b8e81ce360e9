package enginetest

import (
	"context"
	"fmt"
	"time"

	"renga/runtime/engine"
)

const (
	// disk is what an instance of the suite may have on its disk, and overshoot what
	// it may have besides when it is told of.
	disk      = 64 << 20
	overshoot = 1 << 30 // what a fast disk takes in half a second
)

// testFilling has the guard tell of each that fills its disk, while a modest one
// is left alone.
func testFilling(b *bench) {
	guard, ok := b.Engine.(engine.DiskGuard)
	if !ok {
		return
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	told := make(chan string, 1000)
	go func() {
		ended <- guard.GuardDisks(ctx, func(i engine.Instance, bytes int64) {
			if i.App != b.app {
				return
			}
			if err := b.Engine.Kill(ctx, i.ID); err != nil {
				b.Errorf("kill %s: %v", i.Name, err)
			}
			told <- fmt.Sprint(i.ID, " ", i.Name, " ", i.Size, " ", bytes > disk)
			if bytes > disk+overshoot && bytes < 1<<40 {
				b.Errorf("%s was told of with %d MB; it may have %d", i.Name, bytes>>20, disk>>20)
			}
		})
	}()
	defer func() { cancel(); _ = <-ended }()

	modest := b.spec(b.Chatty, "modest", 1)
	modest.Size.DiskBytes = disk
	left := b.start(modest)
	want := ""
	for n, of := range b.Filling {
		s := b.spec(of, "filling", n+1)
		s.Size.DiskBytes = disk
		i := b.start(s)
		before := want
		want = fmt.Sprint(i.ID, " ", i.Name, " ", i.Size, " ", true)
		late := time.After(20 * time.Second)
		for got := before; got == before; { // of which may be told until it has ended
			select {
			case got = <-told:
				if got != want && got != before {
					b.Errorf("told of %s; want %s", got, want)
				}
			case <-late:
				b.Errorf("%s %q is not told of", i.Name, i.Command)
				got = want
			}
		}
		b.exited(i.ID)
	}
	if i, _ := b.find(left.ID); i.State != engine.Running {
		b.Errorf("the modest one is %s", i.State)
	}
}
