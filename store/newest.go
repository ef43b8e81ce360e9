package store

import (
	"context"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"renga"
)

// Newest reads the newest release of each of the apps, in a few round trips for
// all of them. Apps that are gone are left out.
func (s *Store) Newest(ctx context.Context, apps []renga.AppID) (map[renga.AppID]renga.ReleaseRecord, error) {
	all := make(map[renga.AppID]renga.ReleaseRecord, len(apps))
	err := s.do(ctx, "read newest releases", func(ctx context.Context) error {
		for batch := range slices.Chunk(apps, readBatch) {
			heads, err := s.heads(ctx, batch)
			if err != nil {
				return err
			}
			if err := s.newestBatch(ctx, heads, all); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// heads reads which releases of the apps are newest and live.
func (s *Store) heads(ctx context.Context, apps []renga.AppID) (map[renga.AppID]head, error) {
	fields := make([]*redis.SliceCmd, len(apps))
	err := s.read(ctx, func(p redis.Pipeliner) {
		for i, app := range apps {
			fields[i] = p.HMGet(ctx, keyHead(app), fieldCurrent, fieldLive)
		}
	})
	if err != nil {
		return nil, err
	}
	heads := make(map[renga.AppID]head, len(apps))
	for i, app := range apps {
		h, ok, err := decodeHead(app, fields[i].Val())
		if err == nil && !ok {
			if err = s.absent(ctx, app); renga.KindOf(err) == renga.NotFound {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		heads[app] = h
	}
	return heads, nil
}

// newestBatch adds the current release of each head to all.
func (s *Store) newestBatch(ctx context.Context, heads map[renga.AppID]head,
	all map[renga.AppID]renga.ReleaseRecord) error {
	type stored struct{ record, outcome *redis.SliceCmd }
	found := make(map[renga.AppID]stored, len(heads))
	err := s.read(ctx, func(p redis.Pipeliner) {
		for app, h := range heads {
			field := strconv.Itoa(h.current)
			found[app] = stored{p.HMGet(ctx, keyReleases(app), field), p.HMGet(ctx, keyOutcomes(app), field)}
		}
	})
	if err != nil {
		return err
	}
	for app, h := range heads {
		record, okRecord := text(found[app].record.Val(), 0)
		outcome, okOutcome := text(found[app].outcome.Val(), 0)
		if !okRecord || !okOutcome {
			if err := s.gap(ctx, app, h.current); renga.KindOf(err) != renga.NotFound {
				return err
			}
			continue // removed meanwhile
		}
		if all[app], err = decodeRelease(app, h, record, outcome); err != nil {
			return err
		}
	}
	return nil
}
