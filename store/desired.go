package store

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"

	"renga"
)

// Desired reads all that should be true of an app, in two round trips.
// renga.NotFound means that the app really is gone.
func (s *Store) Desired(ctx context.Context, app renga.AppID) (renga.Desired, error) {
	var d renga.Desired
	err := s.do(ctx, "read desired state of app "+string(app), func(ctx context.Context) error {
		h, err := s.desiredApp(ctx, app, &d)
		if err != nil {
			return err
		}
		rs, err := s.window(ctx, app, h, []int{h.live, h.current})
		if err != nil {
			return err
		}
		d.Live, d.Next = choose(rs[0], rs[1])
		if rs[1].Outcome.Phase == renga.PhaseFailed {
			d.Barred = rs[1].Version
		}
		return nil
	})
	return d, err
}

// desiredApp reads all but the releases.
func (s *Store) desiredApp(ctx context.Context, app renga.AppID, d *renga.Desired) (head, error) {
	var stored, asleep *redis.StringCmd
	var scales, restarts, domains *redis.MapStringStringCmd
	var heads *redis.SliceCmd
	err := s.read(ctx, func(p redis.Pipeliner) {
		stored = p.Get(ctx, keyApp(app))
		scales = p.HGetAll(ctx, keyFormation(app))
		restarts = p.HGetAll(ctx, keyRestarts(app))
		asleep = p.Get(ctx, keyAsleep(app))
		domains = p.HGetAll(ctx, keyDomains(app))
		heads = p.HMGet(ctx, keyHead(app), fieldCurrent, fieldLive)
	})
	if err != nil {
		return head{}, err
	}
	h, ok, err := decodeHead(app, heads.Val())
	if err != nil {
		return head{}, err
	}
	if !ok || missing(stored.Err()) {
		return head{}, s.absent(ctx, app)
	}
	if d.App, err = decodeApp(app, stored.Val()); err != nil {
		return head{}, err
	}
	if d.Formation, err = decodeFormation(keyFormation(app), scales.Val()); err != nil {
		return head{}, err
	}
	if d.Hosts, err = decodeHosts(app, domains.Val()); err != nil {
		return head{}, err
	}
	if d.AsleepSince, err = decodeAsleep(app, asleep); err != nil {
		return head{}, err
	}
	d.Restarts, err = decodeTimes(keyRestarts(app), restarts.Val())
	return h, err
}

// decodeHosts gives the names of an app's domains, in order.
func decodeHosts(app renga.AppID, fields map[string]string) ([]string, error) {
	records, err := decodeCollection[domainRecord](keyDomains(app), fields)
	if err != nil {
		return nil, err
	}
	var hosts []string
	for _, r := range records {
		if r.Step == stepNone {
			hosts = append(hosts, r.Hostname)
		}
	}
	slices.Sort(hosts)
	return hosts, nil
}

// choose picks the release that serves and the one that is to replace it. A
// failed release serves only when nothing better ever did, and never when it
// must not run.
func choose(live, newest renga.ReleaseRecord) (serving, next *renga.ReleaseRecord) {
	switch {
	case len(live.Images) > 0:
		serving = &live
	case newest.Outcome.Status == renga.Failed && newest.Outcome.Phase != renga.PhaseFailed && len(newest.Images) > 0:
		serving = &newest
	}
	if newest.Outcome.Status == renga.Pending {
		next = &newest
	}
	return serving, next
}
