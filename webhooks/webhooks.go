// Package webhooks delivers events of apps to their webhooks: one signed POST
// per event and webhook, as Heroku sends them.
//
// The store queues a delivery in the very transaction of its event's change;
// this room works through the queues. It keeps no state: a delivery that a
// crash cuts short is still due at the next start, so a receiver may get an
// event twice, but never misses one. A slow receiver delays no other.
package webhooks

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"renga"
)

// Queue keeps deliveries, by app.
type Queue interface {
	// AppsWithWebhooks are the apps that may have deliveries.
	AppsWithWebhooks(ctx context.Context) ([]renga.AppID, error)
	// DueDeliveries are their ids by webhook, the longest due first.
	DueDeliveries(ctx context.Context, app renga.AppID, at time.Time) (map[string][]string, error)
	// DeliveryJob is renga.NotFound if the event or the webhook is gone.
	DeliveryJob(ctx context.Context, app renga.AppID, webhook, delivery string) (renga.DeliveryJob, error)
	// SaveDelivery keeps a delivery due as long as it has a next attempt.
	SaveDelivery(ctx context.Context, app renga.AppID, d renga.Delivery) error
	// TrimEvents forgets events, with their deliveries.
	TrimEvents(ctx context.Context, app renga.AppID, before time.Time, most int) error
}

// Renderer writes events as the API shows them.
type Renderer interface {
	// Payload is an event as JSON objects, without the fields of its delivery.
	Payload(ctx context.Context, e renga.Event) (map[string]any, error)
}

const (
	// pollEvery is how often the queues are read.
	pollEvery = 500 * time.Millisecond
	// maxPerWebhook and maxParallel bound how many deliveries are under way at
	// once, of one webhook and of all.
	maxPerWebhook = 2
	maxParallel   = 256
	// timeout is how long a receiver may take to answer.
	timeout = 15 * time.Second
	// eventTTL and maxEvents bound an app's events, which are trimmed every
	// trimEvery.
	eventTTL  = 4 * 24 * time.Hour
	maxEvents = 2000
	trimEvery = time.Hour
)

// Options are what the room works with.
type Options struct {
	// Dial connects, and refuses forbidden addresses.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Pause is how long to wait after so many attempts; nil for Heroku's pauses.
	Pause func(attempts int) time.Duration
	Log   *slog.Logger
	Now   func() time.Time
}

// Webhooks delivers.
type Webhooks struct {
	Options
	queue    Queue
	renderer Renderer
	client   *http.Client
	slots    chan struct{}

	mu       sync.Mutex
	underWay map[string]map[string]bool // by webhook, then by delivery
	free     chan struct{}              // told when a delivery ends
	tries    sync.WaitGroup
}

// New makes the room. Nothing is started.
func New(o Options, q Queue, r Renderer) *Webhooks {
	if o.Pause == nil {
		o.Pause = pause
	}
	return &Webhooks{
		Options: o, queue: q, renderer: r, slots: make(chan struct{}, maxParallel),
		underWay: map[string]map[string]bool{}, free: make(chan struct{}, 1),
		client: &http.Client{
			Timeout: timeout,
			// The environment's proxy is not used: it would connect where Dial may
			// not.
			Transport: &http.Transport{
				DialContext: o.Dial, TLSHandshakeTimeout: timeout, MaxIdleConns: maxParallel, IdleConnTimeout: time.Minute,
				MaxResponseHeaderBytes: maxAnswer, DisableCompression: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Run delivers what is due until ctx ends, and then waits for what is under way.
func (w *Webhooks) Run(ctx context.Context) error {
	defer w.client.CloseIdleConnections()
	defer w.tries.Wait()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var trimmed time.Time
	for {
		w.deliver(ctx)
		if w.Now().Sub(trimmed) > trimEvery {
			w.trim(ctx)
			trimmed = w.Now()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-w.free:
		}
	}
}

// deliver begins all deliveries that are due and have room.
func (w *Webhooks) deliver(ctx context.Context) {
	w.eachApp(ctx, "find due deliveries", func(app renga.AppID) error {
		due, err := w.queue.DueDeliveries(ctx, app, w.Now())
		for hook, ids := range due {
			for _, id := range ids {
				if w.begin(hook, id) {
					w.tries.Go(func() {
						defer w.end(hook, id)
						w.try(ctx, app, hook, id)
					})
				}
			}
		}
		return err
	})
}

func (w *Webhooks) trim(ctx context.Context) {
	w.eachApp(ctx, "trim events", func(app renga.AppID) error {
		return w.queue.TrimEvents(ctx, app, w.Now().Add(-eventTTL), maxEvents)
	})
}

// eachApp does something for each app that may have webhooks. After an error
// the next poll tries again.
func (w *Webhooks) eachApp(ctx context.Context, what string, do func(app renga.AppID) error) {
	apps, err := w.queue.AppsWithWebhooks(ctx)
	for _, app := range apps {
		if err == nil {
			err = do(app)
		}
	}
	if err != nil && ctx.Err() == nil {
		w.Log.Warn("webhooks wait", "what", what, "err", err)
	}
}

// begin takes a slot for a delivery; false if the delivery is under way already
// or there is none.
func (w *Webhooks) begin(hook, id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	busy := w.underWay[hook]
	if busy[id] || len(busy) >= maxPerWebhook {
		return false
	}
	select {
	case w.slots <- struct{}{}:
	default:
		return false
	}
	if busy == nil {
		busy = map[string]bool{}
		w.underWay[hook] = busy
	}
	busy[id] = true
	return true
}

// end gives the slot back.
func (w *Webhooks) end(hook, id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.underWay[hook], id)
	if len(w.underWay[hook]) == 0 {
		delete(w.underWay, hook)
	}
	<-w.slots
	select {
	case w.free <- struct{}{}:
	default:
	}
}
