package store

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// An answer's key holds a claim with its holder, or the sealed answer.
const (
	claimMark  = "claim:"
	answerMark = "answer:"
)

// BeginRequest claims a request for its holder, for as long as lease unless it
// is renewed. When the request has been answered it gives the answer instead,
// and when somebody else holds it neither: began is false and answer nil.
func (s *Store) BeginRequest(ctx context.Context, request, holder string,
	lease time.Duration) (answer []byte, began bool, err error) {
	key := keyAnswer(request)
	err = s.do(ctx, "begin request", func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		if began, err = s.db.SetNX(ctx, key, claimMark+holder, lease).Result(); err != nil || began {
			return err
		}
		stored, err := s.db.Get(ctx, key).Result()
		if missing(err) {
			return nil // it ended a moment ago: the caller comes again
		}
		if err != nil {
			return err
		}
		sealed, answered := strings.CutPrefix(stored, answerMark)
		if !answered {
			return nil
		}
		plain, err := s.unseal(key, sealed)
		answer = []byte(plain)
		return err
	})
	return answer, began, err
}

// HoldRequest renews a holder's claim.
func (s *Store) HoldRequest(ctx context.Context, request, holder string, lease time.Duration) error {
	return s.ownRequest(ctx, "hold request", request, holder, func(p redis.Pipeliner, key string) {
		p.PExpire(ctx, key, lease)
	})
}

// DropRequest lets a holder's claim go: whoever repeats the request may act.
func (s *Store) DropRequest(ctx context.Context, request, holder string) error {
	return s.ownRequest(ctx, "drop request", request, holder, func(p redis.Pipeliner, key string) {
		p.Del(ctx, key)
	})
}

// AnswerRequest remembers what a request was answered, sealed, for as long as
// keep.
func (s *Store) AnswerRequest(ctx context.Context, request string, answer []byte, keep time.Duration) error {
	key := keyAnswer(request)
	sealed, err := s.seal(key, string(answer))
	if err != nil {
		return err
	}
	return s.do(ctx, "answer request", func(ctx context.Context) error {
		return s.db.Set(ctx, key, answerMark+sealed, keep).Err()
	})
}

// ownRequest writes to a claim if it is still the holder's.
func (s *Store) ownRequest(ctx context.Context, op, request, holder string,
	queue func(p redis.Pipeliner, key string)) error {
	key := keyAnswer(request)
	return s.do(ctx, op, func(ctx context.Context) error {
		return s.transact(ctx, func(tx *redis.Tx) error {
			stored, err := tx.Get(ctx, key).Result()
			if missing(err) || err == nil && stored != claimMark+holder {
				return nil
			}
			if err != nil {
				return err
			}
			return multi(ctx, tx, func(p redis.Pipeliner) { queue(p, key) })
		}, key)
	})
}
