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

// SetOutcome records what became of a release: renga.Pending may become
// anything, renga.Failed may become renga.Succeeded unless the release must
// never run, everything else stays and is renga.Conflict. The same status again
// is no error and changes nothing, but for a pending release whose phase moves
// on, or whose time as a canary begins. An outcome without a phase keeps the
// one there is; the end of a canary's time stays as it was said first. A
// release that succeeded is live unless a later one is.
func (s *Store) SetOutcome(ctx context.Context, app renga.AppID, version int, o renga.Outcome) error {
	o.At = orNow(o.At)
	return s.outcome(ctx, "set outcome", app, version, func(was renga.Outcome) (renga.Outcome, error) {
		if o.Phase == renga.PhaseNone {
			o.Phase = was.Phase
		}
		if !was.CanaryUntil.IsZero() {
			o.CanaryUntil = was.CanaryUntil
		}
		if was.Status != o.Status && !mayBecome(was, o.Status) {
			return o, renga.Errorf(renga.Conflict, "Release v%d is %s and cannot become %s.", version, was.Status, o.Status)
		}
		if was.Status == o.Status && (was.Status != renga.Pending ||
			was.Phase == o.Phase && was.CanaryUntil.Equal(o.CanaryUntil)) {
			return o, errSame
		}
		return o, nil
	})
}

// CancelRelease makes a pending release one that has failed for the reason and
// must never run. Its release command, if it has one, is asked to stop. A
// release that is not pending is renga.Conflict.
func (s *Store) CancelRelease(ctx context.Context, app renga.AppID, version int, reason string) error {
	return s.outcome(ctx, "cancel", app, version, func(was renga.Outcome) (renga.Outcome, error) {
		if was.Status != renga.Pending {
			return was, renga.Errorf(renga.Conflict, "Release v%d has %s already, so it cannot be canceled.", version,
				past(was.Status))
		}
		return renga.Outcome{
			Status: renga.Failed, Reason: reason, Phase: renga.PhaseFailed, CanaryUntil: was.CanaryUntil, At: now(),
		}, nil
	}, func(p redis.Pipeliner) {
		command := renga.DynoName(renga.ReleaseType, version)
		p.HSet(ctx, keyRestarts(app), command, now().Format(time.RFC3339Nano))
	})
}

// EndCanary ends the time of a canary, so that it takes over. A release that is
// none at the moment is renga.Conflict.
func (s *Store) EndCanary(ctx context.Context, app renga.AppID, version int) error {
	return s.outcome(ctx, "end canary", app, version, func(was renga.Outcome) (renga.Outcome, error) {
		switch {
		case was.Status != renga.Pending:
			return was, renga.Errorf(renga.Conflict, "Release v%d has %s already, so it is no canary.", version,
				past(was.Status))
		case was.CanaryUntil.IsZero():
			return was, renga.Errorf(renga.Conflict,
				"Release v%d is no canary: it takes over as soon as its dynos are up, or becomes one then.", version)
		case !was.CanaryUntil.After(now()):
			return was, errSame
		}
		was.CanaryUntil = now()
		return was, nil
	})
}

// past says what a release has done, in a sentence.
func past(s renga.ReleaseStatus) string {
	if s == renga.Superseded {
		return "been superseded"
	}
	return string(s)
}

// outcome changes a release's outcome, together with what also queues. Decide
// gets the outcome of now and may be called several times; errSame leaves it as
// it is.
func (s *Store) outcome(ctx context.Context, what string, app renga.AppID, version int,
	decide func(was renga.Outcome) (renga.Outcome, error), also ...func(redis.Pipeliner)) error {
	return s.do(ctx, fmt.Sprintf("%s of release v%d of app %s", what, version, app), func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error {
			h, was, err := s.outcomeOf(ctx, tx, app, version)
			if err != nil {
				return err
			}
			is, err := decide(was)
			if errors.Is(err, errSame) {
				return nil
			}
			if err != nil {
				return err
			}
			return putOutcome(ctx, tx, app, version, h, was, is, also)
		}, keyHead(app), keyOutcomes(app))
	})
}

// outcomeOf reads a release's outcome and the app's head.
func (s *Store) outcomeOf(ctx context.Context, tx *redis.Tx, app renga.AppID,
	version int) (head, renga.Outcome, error) {
	var stored *redis.StringCmd
	var heads *redis.SliceCmd
	err := pipelined(ctx, tx, func(p redis.Pipeliner) {
		stored = p.HGet(ctx, keyOutcomes(app), strconv.Itoa(version))
		heads = p.HMGet(ctx, keyHead(app), fieldCurrent, fieldLive)
	})
	if err != nil {
		return head{}, renga.Outcome{}, err
	}
	h, ok, err := decodeHead(app, heads.Val())
	if err == nil && !ok {
		err = s.absent(ctx, app)
	}
	if err != nil {
		return head{}, renga.Outcome{}, err
	}
	if missing(stored.Err()) {
		return head{}, renga.Outcome{}, noRelease(version)
	}
	old, err := decode[outcomeRecord](keyOutcomes(app), stored.Val())
	return h, old.outcome(), err
}

// putOutcome writes an outcome with its events.
func putOutcome(ctx context.Context, tx *redis.Tx, app renga.AppID, version int, h head, was, is renga.Outcome,
	also []func(redis.Pipeliner)) error {
	box, err := outboxOf(ctx, tx, app)
	if err != nil {
		return err
	}
	events, err := box.outcomeEvents(ctx, tx, version, was, is)
	if err != nil {
		return err
	}
	return multi(ctx, tx, func(p redis.Pipeliner) {
		box.post(ctx, p, events...)
		p.HSet(ctx, keyOutcomes(app), strconv.Itoa(version), encode(newOutcomeRecord(is)))
		if is.Status == renga.Succeeded && version > h.live {
			p.HSet(ctx, keyHead(app), fieldLive, version)
		}
		for _, queue := range also {
			queue(p)
		}
	})
}

func mayBecome(was renga.Outcome, to renga.ReleaseStatus) bool {
	switch was.Status {
	case renga.Pending:
		return to == renga.Succeeded || to == renga.Failed || to == renga.Superseded
	case renga.Failed:
		return to == renga.Succeeded && was.Phase != renga.PhaseFailed
	}
	return false
}

type outcomeRecord struct {
	Status renga.ReleaseStatus `json:"status"`
	Reason string              `json:"reason,omitempty"`
	Log    []string            `json:"log,omitempty"`
	At     time.Time           `json:"at,omitzero"`
	Phase  renga.ReleasePhase  `json:"phase,omitempty"`

	CanaryUntil time.Time `json:"canary_until,omitzero"`
}

func newOutcomeRecord(o renga.Outcome) outcomeRecord {
	return outcomeRecord{
		Status: o.Status, Reason: o.Reason, Log: o.Log, At: o.At.UTC(), Phase: o.Phase, CanaryUntil: o.CanaryUntil.UTC(),
	}
}

func (r outcomeRecord) outcome() renga.Outcome {
	return renga.Outcome{
		Status: r.Status, Reason: r.Reason, Log: r.Log, At: r.At.UTC(), Phase: r.Phase, CanaryUntil: r.CanaryUntil.UTC(),
	}
}

// outcomeEvents gives the events of a changed outcome.
func (box outbox) outcomeEvents(ctx context.Context, tx *redis.Tx, version int,
	was, is renga.Outcome) ([]event, error) {
	if len(box.hooks) == 0 || was.Status == is.Status {
		return nil, nil
	}
	app := box.app.ID
	stored, err := tx.HGet(ctx, keyReleases(app), strconv.Itoa(version)).Result()
	if err != nil {
		return nil, err
	}
	record, err := decode[releaseRecord](keyReleases(app), stored)
	if err != nil {
		return nil, err
	}
	return []event{{
		kind: renga.ReleaseEvent, action: renga.Update, by: record.By,
		subject: releaseSubject(record.release(app, is), is.Status == renga.Succeeded),
		before:  releaseSubject(record.release(app, was), false),
	}}, nil
}
