package docker

import (
	"context"
	"sync"
)

// flight does a thing once for all who ask for it at the same time. Unlike
// x/sync/singleflight it lets each of them go when his own context ends, and
// ends the work when nobody waits for it any more: one dyno that is not wanted
// any longer must not break the pull that others wait for. The zero flight is
// ready.
type flight struct {
	mu    sync.Mutex
	calls map[string]*call
}

type call struct {
	waiters int
	cancel  context.CancelFunc
	done    chan struct{} // closed when value and err are set
	value   string
	err     error
}

// do calls work, or joins a call of the same key that is under way.
func (f *flight) do(ctx context.Context, key string, work func(context.Context) (string, error)) (string, error) {
	c := f.join(ctx, key, work)
	select {
	case <-c.done:
		f.leave(key, c)
		return c.value, c.err
	case <-ctx.Done():
		f.leave(key, c)
		return "", ctx.Err()
	}
}

func (f *flight) join(ctx context.Context, key string, work func(context.Context) (string, error)) *call {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.calls[key]; c != nil {
		c.waiters++
		return c
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &call{waiters: 1, cancel: cancel, done: make(chan struct{})}
	if f.calls == nil {
		f.calls = map[string]*call{}
	}
	f.calls[key] = c
	go func() { // ends soon after its last waiter has left: ctx is then over
		defer close(c.done)
		c.value, c.err = work(ctx)
		f.finish(key, c)
	}()
	return c
}

// finish lets later askers begin anew.
func (f *flight) finish(key string, c *call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls[key] == c {
		delete(f.calls, key)
	}
}

func (f *flight) leave(key string, c *call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.waiters--
	if c.waiters > 0 {
		return
	}
	c.cancel()
	if f.calls[key] == c {
		delete(f.calls, key)
	}
}
