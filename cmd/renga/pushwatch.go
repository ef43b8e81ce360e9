package main

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// pushPause is how long a client may take between two requests of one push. A
// push is a row of requests, and between them nobody can tell whether it goes on.
const pushPause = 2 * time.Second

// pushWatch is the registry, and knows whether somebody pushes to it.
type pushWatch struct {
	registry http.Handler

	mu   sync.Mutex
	open int       // requests under way
	last time.Time // when the last one ended; zero before the first
}

// ServeHTTP counts everything but reads as part of a push; HEAD is how clients
// begin one.
func (p *pushWatch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		p.begin()
		defer p.end()
	}
	p.registry.ServeHTTP(w, r)
}

// Finish waits until no push is under way, or ctx ends.
func (p *pushWatch) Finish(ctx context.Context) {
	tick := time.NewTicker(pushPause / 20)
	defer tick.Stop()
	for p.busy() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *pushWatch) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open++
}

func (p *pushWatch) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	p.last = time.Now()
}

func (p *pushWatch) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open > 0 || time.Since(p.last) < pushPause
}
