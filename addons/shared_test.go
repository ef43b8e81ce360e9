package addons_test

import (
	"context"
	"testing"
	"time"

	"renga"
	"renga/addons"
	"renga/addons/provider"
)

// sharing is a provider that has all add-ons in one service of another's.
type sharing struct {
	*fakeProvider
	service renga.AddOnID
	all     []renga.AddOnID
	ensured chan renga.AddOnID
}

// Ensure tells that it was called.
func (p *sharing) Ensure(ctx context.Context, i provider.Instance, tell func(string)) error {
	p.ensured <- i.AddOn.ID
	return p.fakeProvider.Ensure(ctx, i, tell)
}

// Watch tells that something happened to the service.
func (p *sharing) Watch(ctx context.Context, look func(renga.AddOnID)) error {
	look(p.service)
	<-ctx.Done()
	return ctx.Err()
}

// Shares implements [provider.Sharer].
func (p *sharing) Shares(_ context.Context, service renga.AddOnID) ([]renga.AddOnID, error) {
	if service != p.service {
		return nil, nil
	}
	return p.all, nil
}

// TestWhatHappensToASharedServiceHappensToItsAddOns: the service is no add-on.
func TestWhatHappensToASharedServiceHappensToItsAddOns(t *testing.T) {
	f := newFixture(t)
	a := f.create(renga.AddOnRequest{Plan: "heroku-postgresql"})
	f.stop()

	parts := f.Parts
	parts.Store = noneAtStart{parts.Store}
	shared := &sharing{f.server, "the server", []renga.AddOnID{a.ID}, make(chan renga.AddOnID, 100)}
	parts.Providers = map[string]provider.Provider{"fake": shared}
	room := addons.New(parts)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- room.Run(ctx) }()
	select {
	case id := <-shared.ensured:
		if id != a.ID {
			t.Errorf("add-on %s is ensured; want %s", id, a.ID)
		}
	case <-time.After(time.Minute):
		t.Error("the add-on is not looked at")
	}
	cancel()
	f.must(<-ended)
}

// noneAtStart is a store whose add-ons a start does not find.
type noneAtStart struct{ addons.Store }

func (noneAtStart) AddOns(context.Context) ([]renga.AddOn, error) { return nil, nil }
