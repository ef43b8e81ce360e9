package store

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
)

// SetAsleep says since when an app sleeps; zero for awake. After the app's
// removal it is renga.NotFound and writes nothing.
func (s *Store) SetAsleep(ctx context.Context, app renga.AppID, since time.Time) error {
	return s.do(ctx, "set sleep of app "+string(app), func(ctx context.Context) error {
		return s.writeOf(ctx, app, func(p redis.Pipeliner) {
			if since.IsZero() {
				p.Del(ctx, keyAsleep(app))
			} else {
				p.Set(ctx, keyAsleep(app), since.UTC().Format(time.RFC3339Nano), 0)
			}
		})
	})
}

// decodeAsleep reads what SetAsleep wrote.
func decodeAsleep(app renga.AppID, stored *redis.StringCmd) (time.Time, error) {
	if missing(stored.Err()) {
		return time.Time{}, nil
	}
	since, err := time.Parse(time.RFC3339Nano, stored.Val())
	if err != nil {
		return time.Time{}, fmt.Errorf("read %s: %w", keyAsleep(app), err)
	}
	return since, nil
}
