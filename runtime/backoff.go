package runtime

import (
	"context"
	"log/slog"
	"time"

	"renga/runtime/plan"
)

// backoff spaces the tries of something that goes wrong, and keeps it from
// saying the same again and again. The zero one is for what goes well.
type backoff struct {
	tries int
	said  string
}

// next is how long to wait before the next try: 1 s, 2 s, 4 s … 30 s.
func (b *backoff) next() time.Duration {
	b.tries++
	return plan.RetryAfter(b.tries - 1)
}

// log says what went wrong, unless that was said last.
func (b *backoff) log(ctx context.Context, log *slog.Logger, what string, err error) {
	if err == nil || err.Error() == b.said {
		return
	}
	b.said = err.Error()
	log.WarnContext(ctx, "will try again", "what", what, "err", err)
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
