package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"renga"
)

// Head reads the newest release of an app.
func (s *Store) Head(ctx context.Context, app renga.AppID) (renga.ReleaseRecord, error) {
	return s.pick(ctx, app, "newest", func(h head) int { return h.current })
}

// Live reads the release of an app that serves: the newest that succeeded.
func (s *Store) Live(ctx context.Context, app renga.AppID) (renga.ReleaseRecord, error) {
	return s.pick(ctx, app, "live", func(h head) int { return h.live })
}

// pick reads one of the two releases that an app's head names.
func (s *Store) pick(ctx context.Context, app renga.AppID, which string,
	version func(head) int) (renga.ReleaseRecord, error) {
	var picked renga.ReleaseRecord
	err := s.do(ctx, "read "+which+" release of app "+string(app), func(ctx context.Context) error {
		h, err := s.head(ctx, app)
		if err != nil {
			return err
		}
		rs, err := s.window(ctx, app, h, []int{version(h)})
		if err != nil {
			return err
		}
		picked = rs[0]
		return nil
	})
	return picked, err
}

// Release reads one release; renga.NotFound when app or release are missing.
func (s *Store) Release(ctx context.Context, app renga.AppID, version int) (renga.ReleaseRecord, error) {
	var found renga.ReleaseRecord
	err := s.do(ctx, fmt.Sprintf("read release v%d of app %s", version, app), func(ctx context.Context) error {
		h, err := s.head(ctx, app)
		if err != nil {
			return err
		}
		if version < 1 || version > h.current {
			return noRelease(version)
		}
		rs, err := s.window(ctx, app, h, []int{version})
		if err != nil {
			return err
		}
		found = rs[0]
		return nil
	})
	return found, err
}

// Releases reads the releases that q asks for, and no others.
func (s *Store) Releases(ctx context.Context, app renga.AppID, q renga.ReleaseQuery) ([]renga.ReleaseRecord, error) {
	rs := []renga.ReleaseRecord{}
	err := s.do(ctx, "list releases of app "+string(app), func(ctx context.Context) error {
		h, err := s.head(ctx, app)
		if err != nil {
			return err
		}
		for batch := range slices.Chunk(versions(q, h.current), readBatch) {
			some, err := s.window(ctx, app, h, batch)
			if err != nil {
				return err
			}
			rs = append(rs, some...)
		}
		return nil
	})
	return rs, err
}

// ReleaseByPush finds the version that a push became; renga.NotFound when
// none, or when the push is longer ago than 30 days.
func (s *Store) ReleaseByPush(ctx context.Context, app renga.AppID, pushID string) (version int, err error) {
	err = s.do(ctx, "find release of push "+pushID, func(ctx context.Context) error {
		var stored *redis.StringCmd
		var there *redis.IntCmd
		err := s.read(ctx, func(p redis.Pipeliner) {
			stored = p.Get(ctx, keyPush(app, pushID))
			there = p.Exists(ctx, keyApp(app))
		})
		if err != nil {
			return err
		}
		if there.Val() == 0 {
			return s.absent(ctx, app)
		}
		if missing(stored.Err()) {
			return renga.Errorf(renga.NotFound, "Couldn't find a release of push %s.", pushID)
		}
		version, err = stored.Int()
		return err
	})
	return version, err
}

// versions lists which versions q asks for of an app whose newest is current.
func versions(q renga.ReleaseQuery, current int) []int {
	from, to := max(q.From, 1), current
	if q.To > 0 {
		to = min(q.To, current)
	}
	n := max(to-from+1, 0)
	if q.Max > 0 {
		n = min(n, q.Max)
	}
	list := make([]int, 0, n)
	for i := range n {
		if q.Descending {
			list = append(list, to-i)
		} else {
			list = append(list, from+i)
		}
	}
	return list
}

// head reads which releases of an app are newest and live.
func (s *Store) head(ctx context.Context, app renga.AppID) (head, error) {
	var fields *redis.SliceCmd
	err := s.read(ctx, func(p redis.Pipeliner) { fields = p.HMGet(ctx, keyHead(app), fieldCurrent, fieldLive) })
	if err != nil {
		return head{}, err
	}
	h, ok, err := decodeHead(app, fields.Val())
	if err == nil && !ok {
		err = s.absent(ctx, app)
	}
	return h, err
}

// window reads some releases, in the order of versions, all of which exist.
func (s *Store) window(ctx context.Context, app renga.AppID, h head, versions []int) ([]renga.ReleaseRecord, error) {
	fields := make([]string, len(versions))
	for i, v := range versions {
		fields[i] = strconv.Itoa(v)
	}
	var records, outcomes *redis.SliceCmd
	err := s.read(ctx, func(p redis.Pipeliner) {
		records = p.HMGet(ctx, keyReleases(app), fields...)
		outcomes = p.HMGet(ctx, keyOutcomes(app), fields...)
	})
	if err != nil {
		return nil, err
	}
	rs := make([]renga.ReleaseRecord, len(versions))
	for i := range versions {
		record, okRecord := text(records.Val(), i)
		outcome, okOutcome := text(outcomes.Val(), i)
		if !okRecord || !okOutcome {
			return nil, s.gap(ctx, app, versions[i])
		}
		if rs[i], err = decodeRelease(app, h, record, outcome); err != nil {
			return nil, err
		}
	}
	return rs, nil
}

// gap is the error for a release that ought to be there: the app was removed
// meanwhile, or its data is damaged.
func (s *Store) gap(ctx context.Context, app renga.AppID, version int) error {
	if _, err := s.app(ctx, app); err != nil {
		return err
	}
	return fmt.Errorf("read %s: no v%d", keyReleases(app), version)
}
