package imports

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"renga"
)

// NoticeStore remembers what registries told, as many notices of an app as
// renga.MaxNotices.
type NoticeStore interface {
	AddNotice(ctx context.Context, app renga.AppID, n renga.ReceivedNotice) error
}

// refusedEvery is how often a refused notice of one rule is remembered: whoever knows
// no secret cannot push others out of the list.
const refusedEvery = 10 * time.Second

// notices writes down what became of notices. That this fails is no reason to refuse
// one.
type notices struct {
	store NoticeStore
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	refused map[string]time.Time // by rule id
}

func (n *notices) add(ctx context.Context, rule renga.ImportRule, it renga.ReceivedNotice) {
	it.ID, it.Rule, it.At = uuid.NewString(), rule.ID, n.now()
	err := n.store.AddNotice(ctx, rule.App, it)
	if err != nil && renga.KindOf(err) != renga.NotFound {
		n.log.Warn("a registry's notice is not remembered", "app", rule.App, "rule", rule.ID, "err", err)
	}
}

// refuse adds one that shows no proof, or cannot be read.
func (n *notices) refuse(ctx context.Context, rule renga.ImportRule, reason string) {
	if n.isFirst(rule.ID) {
		n.add(ctx, rule, renga.ReceivedNotice{Decision: renga.NoticeRefused, Reason: reason})
	}
}

// isFirst tells whether none of the rule was refused lately.
func (n *notices) isFirst(rule string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	for r, at := range n.refused {
		if now.Sub(at) >= refusedEvery {
			delete(n.refused, r)
		}
	}
	if _, lately := n.refused[rule]; lately {
		return false
	}
	n.refused[rule] = now
	return true
}
