package container

import (
	"context"
	"strconv"
	"sync"
	"time"

	"renga"
	"renga/addons/catalogue"
	"renga/docker"
)

// Watch implements [provider.Watcher]. As long as it runs, what services print is
// kept.
func (p *Provider) Watch(ctx context.Context, look func(renga.AddOnID)) error {
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	defer following.Wait()
	defer cancel()
	p.followBy(func(c docker.Container) {
		following.Go(func() { p.follow(ctx, c) })
	})
	defer p.followBy(nil)

	all, err := p.Docker.List(ctx, kind)
	if err != nil {
		return err
	}
	for _, c := range all {
		p.keepOutput(&c)
	}
	told := map[string]time.Time{}
	return p.Docker.Watch(ctx, kind, func(e docker.Event) {
		a := fromLabels(e.Labels)
		if a.ID == "" {
			return
		}
		if e.OutOfMemory {
			p.sayOutOfMemory(a, e, told)
		}
		look(a.ID)
	})
}

// memoryPause is the least time between two times that it is said that a service
// has too little memory: one whose children die one after the other must not fill
// the log with that.
const memoryPause = 20 * time.Second

func (p *Provider) sayOutOfMemory(a renga.AddOn, e docker.Event, told map[string]time.Time) {
	now := p.Now()
	for id, at := range told {
		if now.Sub(at) >= memoryPause {
			delete(told, id)
		}
	}
	if _, lately := told[e.ID]; lately {
		return
	}
	told[e.ID] = now
	bytes, _ := strconv.ParseInt(e.Labels[labelMemory], 10, 64) // 0 when somebody made the label illegible
	p.say(a, "A process of %s was killed: it ran out of memory, of which its plan gives it %s", a.Name, catalogue.Bytes(bytes))
}

// followBy says who follows containers from now on; nil means nobody.
func (p *Provider) followBy(follow func(docker.Container)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.follower = follow
}

// keepOutput has what a container prints be kept, unless that goes on already.
func (p *Provider) keepOutput(c *docker.Container) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.follower == nil {
		return
	}
	if f := p.follows[c.ID]; f != nil {
		f.again = true // it may be about to end with an earlier run
		return
	}
	p.follows[c.ID] = &follow{kept: make(chan struct{})}
	p.follower(*c)
}

// follow is that a container's output is being kept.
type follow struct {
	kept  chan struct{} // closed when all is
	again bool
}

// endFollow ends it, unless the container was started again meanwhile.
func (p *Provider) endFollow(ctx context.Context, id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.follows[id]
	if f.again && ctx.Err() == nil {
		f.again = false
		return false
	}
	delete(p.follows, id)
	close(f.kept)
	return true
}

// lastWords is how long the removal of a container waits for its last lines.
const lastWords = 5 * time.Second

// awaitLastLines waits until all that an ended container printed is kept, or for
// as long as is decent.
func (p *Provider) awaitLastLines(ctx context.Context, id string) {
	p.mu.Lock()
	f := p.follows[id]
	p.mu.Unlock()
	if f == nil {
		return
	}
	select {
	case <-f.kept:
	case <-ctx.Done():
	case <-time.After(lastWords):
	}
}
