package accounts

import (
	"context"
	"crypto/sha256"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"renga"
)

// Bearers finds whose a token is; Unauthorized when it is nobody's.
type Bearers interface {
	Bearer(ctx context.Context, token string) (renga.Bearer, error)
}

const (
	// freeForNetwork is how many tokens that do not exist an address may show without
	// a pause: scripts with an old one come from the same address as others.
	freeForNetwork = 20
	// rememberedNetworks bounds the memory for failed tries, and rememberedTokens that
	// for tokens that were shown: some 150 bytes for each.
	rememberedNetworks, rememberedTokens = 10_000, 20_000
	// missesKept is for how long failed tries count, as those of passwords do.
	missesKept = time.Hour
)

// Tokens finds whose a token is that somebody shows, and slows down who tries many
// that do not exist: an address, and an address that names one account. It counts in
// a bounded memory and not in the store, for anybody can cause a try, at no cost.
//
// A token that was shown from an address before is none that is guessed. It neither
// counts nor waits, so that a guesser keeps nobody out who shares the address.
type Tokens struct {
	find Bearers
	now  func() time.Time

	mu     sync.Mutex // guards what misses points to, too
	misses *lru.Cache[string, *misses]
	shown  *lru.Cache[[sha256.Size]byte, struct{}]
}

// misses are the failed tries of somebody.
type misses struct {
	failed int
	last   time.Time
}

// NewTokens makes a Tokens; now tells the time.
func NewTokens(find Bearers, now func() time.Time) *Tokens {
	t := &Tokens{find: find, now: now}
	t.misses, _ = lru.New[string, *misses](rememberedNetworks) // fails for sizes below 1 only
	t.shown, _ = lru.New[[sha256.Size]byte, struct{}](rememberedTokens)
	return t
}

// Holder is whose a token is; Unauthorized when it is nobody's, and TooMany, without
// having looked, as long as who shows it has to wait.
func (t *Tokens) Holder(ctx context.Context, c renga.ShownToken) (renga.Bearer, error) {
	network := renga.ClientNetwork(c.From)
	known := sha256.Sum256([]byte(network + " " + c.Token))
	if t.shown.Contains(known) {
		return t.find.Bearer(ctx, c.Token)
	}
	limits := limitsOf(c.User, network)
	if wait := t.count(limits); wait > 0 {
		return renga.Bearer{}, waitFirst(wait)
	}
	b, err := t.find.Bearer(ctx, c.Token)
	switch renga.KindOf(err) {
	case "", renga.Unauthorized:
		t.shown.Add(known, struct{}{})
	}
	if renga.KindOf(err) != renga.Unauthorized {
		t.undo(limits)
	}
	return b, err
}

// limitsOf are the limits that a try counts for.
func limitsOf(user, network string) []attemptLimit {
	limits := []attemptLimit{{network, freeForNetwork}}
	if strings.Contains(user, "@") { // an account's name; any other is as good as none
		limits = append(limits, attemptLimit{accountFrom(user, network), freeForAccount})
	}
	return limits
}

// count counts a failed try, before it is one, so that many at once are no way
// around it. While one of the limits has a pause it counts nothing and gives the rest.
func (t *Tokens) count(limits []attemptLimit) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, all := t.now(), make([]*misses, len(limits))
	for i, d := range limits {
		m, there := t.misses.Get(d.who)
		if !there || at.Sub(m.last) > missesKept {
			m = &misses{}
		}
		if rest := d.pause(m.failed) - at.Sub(m.last); rest > 0 {
			return rest
		}
		all[i] = m
	}
	for i, m := range all {
		m.failed, m.last = m.failed+1, at
		t.misses.Add(limits[i].who, m)
	}
	return 0
}

// undo takes a counted try back.
func (t *Tokens) undo(limits []attemptLimit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range limits {
		if m, there := t.misses.Get(d.who); there {
			m.failed = max(0, m.failed-1)
		}
	}
}
