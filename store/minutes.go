package store

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
)

// minuteRecord is what the process types of an app did in one minute.
type minuteRecord struct {
	At    time.Time                           `json:"at"`
	Types map[renga.ProcessType]minuteFigures `json:"types"`
}

type minuteFigures struct {
	Dynos     int     `json:"dynos,omitempty"`
	Memory    int64   `json:"memory,omitempty"`
	MaxMemory int64   `json:"max_memory,omitempty"`
	Quota     int64   `json:"quota,omitempty"`
	CPU       float64 `json:"cpu,omitempty"`
	Requests  int64   `json:"requests,omitempty"`
	Errors    int64   `json:"errors,omitempty"`
	Service   int64   `json:"service_us,omitempty"` // microseconds
}

// AddMinutes adds what the process types of an app did in one minute. It drops
// what is older than a day.
func (s *Store) AddMinutes(ctx context.Context, app renga.AppID, of []renga.Minute) error {
	if len(of) == 0 {
		return nil
	}
	r := newMinuteRecord(of)
	return s.do(ctx, "add a minute of app "+string(app), func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error {
			there, err := tx.Exists(ctx, keyApp(app)).Result()
			if err != nil {
				return err
			}
			if there == 0 {
				return s.absent(ctx, app)
			}
			return multi(ctx, tx, func(p redis.Pipeliner) {
				p.RPush(ctx, keyMinutes(app), encode(r))
				p.LTrim(ctx, keyMinutes(app), -renga.MaxMinutes, -1)
			})
		}, keyApp(app))
	})
}

// Minutes reads what the process types of an app did, minute by minute, oldest
// first. Minutes in which nothing ran are missing.
func (s *Store) Minutes(ctx context.Context, app renga.AppID) ([]renga.Minute, error) {
	var all []renga.Minute
	err := s.do(ctx, "read the minutes of app "+string(app), func(ctx context.Context) error {
		var stored *redis.StringSliceCmd
		err := s.readOf(ctx, app, func(p redis.Pipeliner) { stored = p.LRange(ctx, keyMinutes(app), 0, -1) })
		if err != nil {
			return err
		}
		all = nil
		for _, text := range stored.Val() {
			r, err := decode[minuteRecord](keyMinutes(app), text)
			if err != nil {
				return err
			}
			all = append(all, r.minutes()...)
		}
		return nil
	})
	return all, err
}

func newMinuteRecord(of []renga.Minute) minuteRecord {
	r := minuteRecord{At: of[0].At.UTC(), Types: map[renga.ProcessType]minuteFigures{}}
	for _, m := range of {
		r.Types[m.Type] = minuteFigures{
			m.Dynos, m.Memory, m.MaxMemory, m.Quota, m.CPU, m.Requests, m.Errors, m.Service.Microseconds(),
		}
	}
	return r
}

func (r minuteRecord) minutes() []renga.Minute {
	formation := renga.Formation{} // it knows the order of types
	for t := range r.Types {
		formation[t] = renga.Scale{}
	}
	var all []renga.Minute
	for _, t := range formation.Types() {
		f := r.Types[t]
		all = append(all, renga.Minute{
			At: r.At, Type: t, Dynos: f.Dynos, Memory: f.Memory, MaxMemory: f.MaxMemory, Quota: f.Quota, CPU: f.CPU,
			Requests: f.Requests, Errors: f.Errors, Service: time.Duration(f.Service) * time.Microsecond,
		})
	}
	return all
}
