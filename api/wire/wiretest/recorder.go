package wiretest

import (
	"context"
	"fmt"
	"sync"

	"renga"
)

// Recorder notes what other rooms were told.
type Recorder struct {
	mu         sync.Mutex
	Reconciled []renga.AppID
	Noted      []string // for apps' logs
}

func (r *Recorder) Reconcile(app renga.AppID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Reconciled = append(r.Reconciled, app)
}

func (r *Recorder) Note(_ context.Context, _ renga.AppID, by renga.AccountID, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Noted = append(r.Noted, fmt.Sprintf("%s by %s", what, by))
}
