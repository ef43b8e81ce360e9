package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/redis/go-redis/v9"
)

// attemptsKept is for how long failed tries count.
const attemptsKept = time.Hour

// attemptsRecord counts the failed tries of somebody.
type attemptsRecord struct {
	Failed int       `json:"failed"`
	Last   time.Time `json:"last,omitzero"`
}

// Attempt counts one more failed try of who, an account or an address, and
// returns zero. When the last one is less than a pause ago it counts nothing
// and gives the rest of the pause. Two at once count as two.
func (s *Store) Attempt(ctx context.Context, who string, pause func(failed int) time.Duration) (time.Duration, error) {
	var rest time.Duration
	err := s.editAttempts(ctx, who, func(r attemptsRecord) attemptsRecord {
		at := now()
		if rest = max(0, pause(r.Failed)-at.Sub(r.Last)); rest > 0 {
			return r
		}
		return attemptsRecord{Failed: r.Failed + 1, Last: at}
	})
	return rest, err
}

// UndoAttempt takes one failed try of who back.
func (s *Store) UndoAttempt(ctx context.Context, who string) error {
	return s.editAttempts(ctx, who, func(r attemptsRecord) attemptsRecord {
		return attemptsRecord{Failed: max(0, r.Failed-1), Last: r.Last}
	})
}

func (s *Store) editAttempts(ctx context.Context, who string, edit func(attemptsRecord) attemptsRecord) error {
	sum := sha256.Sum256([]byte(who)) // it may be anything that somebody typed
	key := keyAttempts(hex.EncodeToString(sum[:]))
	return s.do(ctx, "count attempts", func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error {
			before, _, err := readRecord[attemptsRecord](ctx, tx, key)
			if err != nil {
				return err
			}
			after := edit(before)
			if after == before {
				return nil
			}
			return multi(ctx, tx, func(p redis.Pipeliner) { p.Set(ctx, key, encode(after), attemptsKept) })
		}, key)
	})
}
