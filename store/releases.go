package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
)

const (
	// pushTTL is how long a push id is known: much longer than any replay.
	pushTTL = 30 * 24 * time.Hour
	// settleTimeout bounds finding out what became of a commit.
	settleTimeout = time.Second
)

// Commit appends a release. If it is not the next one, nothing changes, and the
// answer is renga.Conflict. In one transaction the release becomes current,
// process types of fill that the formation lacks are added, pushID (unless
// empty) leads to it for 30 days, a former release that was still pending
// becomes superseded, and r is live if its outcome is renga.Succeeded. An empty
// outcome is renga.Pending.
//
// Committing the same version with the same digest again is no error. When the
// connection breaks in the middle, Commit finds out what became of it before it
// answers; if it cannot, it says renga.Unavailable, and the caller looks at Head
// later.
func (s *Store) Commit(ctx context.Context, r renga.ReleaseRecord, pushID string, fill renga.Formation) error {
	if r.Outcome.Status == "" {
		r.Outcome.Status = renga.Pending
	}
	r.Outcome.At = orNow(r.Outcome.At)
	op := fmt.Sprintf("commit release v%d of app %s", r.Version, r.App)
	err := s.do(ctx, op, func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error {
			return s.commit(ctx, tx, r, pushID, fill)
		}, keyApp(r.App), keyHead(r.App), keyOutcomes(r.App))
	})
	var open *uncertain
	if !errors.As(err, &open) {
		return err
	}
	return s.settle(ctx, op, r, open.cause)
}

// uncertain is a fault after which the transaction may or may not have been
// done.
type uncertain struct{ cause error }

func (e *uncertain) Error() string { return "outcome unknown: " + e.cause.Error() }
func (e *uncertain) Unwrap() error { return e.cause }

// commit is one try.
func (s *Store) commit(ctx context.Context, tx *redis.Tx, r renga.ReleaseRecord, pushID string,
	fill renga.Formation) error {
	former, err := s.next(ctx, tx, r)
	if errors.Is(err, errSame) {
		return nil
	}
	if err != nil {
		return err
	}
	box, events, err := commitEvents(ctx, tx, r, pushID, former)
	if err != nil {
		return err
	}
	err = multi(ctx, tx, func(p redis.Pipeliner) {
		putRelease(ctx, p, r, pushID)
		box.post(ctx, p, events...)
		p.HSet(ctx, keyHead(r.App), fieldCurrent, r.Version)
		if r.Outcome.Status == renga.Succeeded {
			p.HSet(ctx, keyHead(r.App), fieldLive, r.Version)
		}
		if former.Status == renga.Pending {
			p.HSet(ctx, keyOutcomes(r.App), strconv.Itoa(r.Version-1), encode(newOutcomeRecord(supersededBy(r, former))))
		}
		for t, scale := range fill {
			scale.CreatedAt, scale.UpdatedAt = orNow(scale.CreatedAt), orNow(scale.UpdatedAt)
			p.HSetNX(ctx, keyFormation(r.App), string(t), encode(newScaleRecord(scale)))
		}
		if pushID != "" {
			p.Set(ctx, keyPush(r.App, pushID), r.Version, pushTTL)
		}
	})
	if err != nil && !replied(err) {
		return &uncertain{err}
	}
	return err
}

// errSame says that a release is already there.
var errSame = errors.New("already committed")

// next checks that r is the next release and gives the outcome of the one
// before it.
func (s *Store) next(ctx context.Context, tx *redis.Tx, r renga.ReleaseRecord) (renga.Outcome, error) {
	var app, same, former *redis.StringCmd
	var heads *redis.SliceCmd
	err := pipelined(ctx, tx, func(p redis.Pipeliner) {
		app = p.Get(ctx, keyApp(r.App))
		heads = p.HMGet(ctx, keyHead(r.App), fieldCurrent, fieldLive)
		same = p.HGet(ctx, keyReleases(r.App), strconv.Itoa(r.Version))
		former = p.HGet(ctx, keyOutcomes(r.App), strconv.Itoa(r.Version-1))
	})
	if err != nil {
		return renga.Outcome{}, err
	}
	h, ok, err := decodeHead(r.App, heads.Val())
	if err != nil {
		return renga.Outcome{}, err
	}
	if !ok || missing(app.Err()) {
		return renga.Outcome{}, s.absent(ctx, r.App)
	}
	if h.current != r.Version-1 {
		return renga.Outcome{}, notNext(r, h, same)
	}
	if err := refuseDeleting(r.App, app.Val()); err != nil {
		return renga.Outcome{}, err
	}
	o, err := decode[outcomeRecord](keyOutcomes(r.App), former.Val())
	return o.outcome(), err
}

// notNext tells a release that was committed before from one that is too late.
func notNext(r renga.ReleaseRecord, h head, same *redis.StringCmd) error {
	if same.Err() == nil {
		stored, err := decode[releaseRecord](keyReleases(r.App), same.Val())
		if err != nil {
			return err
		}
		if stored.Digest == r.Digest {
			return errSame
		}
	}
	return renga.Errorf(renga.Conflict, "Release v%d cannot follow v%d: another change came first; try again.", r.Version,
		h.current)
}

func refuseDeleting(id renga.AppID, text string) error {
	a, err := decodeApp(id, text)
	if err != nil {
		return err
	}
	if a.Deleting {
		return renga.Errorf(renga.Conflict, "App %s is being deleted.", a.Name)
	}
	return nil
}

// supersededBy is the outcome of a release that was pending when the next came.
func supersededBy(next renga.ReleaseRecord, was renga.Outcome) renga.Outcome {
	before := "its dynos were up"
	if !was.CanaryUntil.IsZero() {
		before = "its time as a canary was over"
	}
	return renga.Outcome{
		Status: renga.Superseded, CanaryUntil: was.CanaryUntil, At: now(),
		Reason: fmt.Sprintf("superseded by v%d before %s", next.Version, before),
	}
}

// settle finds out whether a commit was done, after its answer was lost. It
// does so even if the caller has gone, for up to settleTimeout.
func (s *Store) settle(ctx context.Context, op string, r renga.ReleaseRecord, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	for {
		err := s.preventCommit(ctx, r)
		switch {
		case errors.Is(err, errSame):
			return nil
		case err == nil: // certainly not done
			return s.explain(op, cause)
		case renga.KindOf(err) == renga.Conflict:
			return err
		}
		if sleep(ctx, 20*time.Millisecond) != nil {
			return &renga.Error{
				Kind: renga.Unavailable,
				Message: fmt.Sprintf("Redis at %s went away while release v%d was recorded; look whether it exists before trying "+
					"again.", s.where, r.Version),
				Err: fmt.Errorf("%s: %w", op, cause),
			}
		}
	}
}

// preventCommit is errSame if r was committed. If not, it makes sure that it
// never will be: an EXEC that is still in a buffer of Redis's watches the head,
// and preventCommit changes the head.
func (s *Store) preventCommit(ctx context.Context, r renga.ReleaseRecord) error {
	return s.transact(ctx, func(tx *redis.Tx) error {
		if _, err := s.next(ctx, tx, r); err != nil {
			return err
		}
		return multi(ctx, tx, func(p redis.Pipeliner) { p.HIncrBy(ctx, keyHead(r.App), fieldFence, 1) })
	}, keyApp(r.App), keyHead(r.App))
}

func noRelease(version int) error {
	return renga.Errorf(renga.NotFound, "Couldn't find release v%d.", version)
}

func orNow(t time.Time) time.Time {
	if t.IsZero() {
		return now()
	}
	return t
}

// commitEvents gives the events of a new release, and of the former one if that
// was still pending, and the outbox for them.
func commitEvents(ctx context.Context, tx *redis.Tx, r renga.ReleaseRecord, pushID string,
	former renga.Outcome) (outbox, []event, error) {
	box, err := outboxOf(ctx, tx, r.App)
	if err != nil {
		return outbox{}, nil, err
	}
	events := releaseEvents(r, pushID)
	if former.Status == renga.Pending {
		replaced, err := box.outcomeEvents(ctx, tx, r.Version-1, former, supersededBy(r, former))
		return box, append(events, replaced...), err
	}
	return box, events, nil
}
