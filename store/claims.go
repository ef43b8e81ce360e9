package store

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"

	"renga"
)

// claimRecord is the app, and its domain, that a host name belongs to.
type claimRecord struct {
	App renga.AppID `json:"app"`
	ID  string      `json:"id"`
}

// claimHost is step 2 of adding a domain, see domains.go.
func (s *Store) claimHost(ctx context.Context, d renga.Domain) error {
	return s.do(ctx, "claim "+d.Hostname, func(ctx context.Context) error {
		return s.transact(ctx, func(tx *redis.Tx) error {
			if err := s.requireListed(ctx, tx, d.App); err != nil {
				return err
			}
			if held, err := s.mayClaim(ctx, tx, d); err != nil || held {
				return err
			}
			claim := encode(claimRecord{App: d.App, ID: d.ID})
			return multi(ctx, tx, func(p redis.Pipeliner) { p.HSet(ctx, keyClaims, d.Hostname, claim) })
		}, keyClaims, keyApps)
	})
}

// requireListed fails unless the app exists and is not being removed.
func (s *Store) requireListed(ctx context.Context, tx *redis.Tx, app renga.AppID) error {
	entry, err := tx.HGet(ctx, keyApps, string(app)).Result()
	if missing(err) {
		return notFound(app)
	}
	if err != nil {
		return err
	}
	l, err := decode[listing](keyApps, entry)
	if err == nil && l.Removing {
		return notFound(app)
	}
	return err
}

// mayClaim fails when another app has the name or one that it overlaps with.
// held tells that the claim exists already.
func (s *Store) mayClaim(ctx context.Context, tx *redis.Tx, d renga.Domain) (held bool, err error) {
	near, err := s.claimsNear(ctx, tx, d.Hostname)
	if err != nil {
		return false, err
	}
	if c, ok := near[d.Hostname]; ok && c.App == d.App {
		return c.ID == d.ID, nil // another id is a leftover
	}
	var owner *renga.AccountID
	for host, c := range near {
		if c.App == d.App {
			continue
		}
		if host == d.Hostname {
			return false, hostTaken(d.Hostname)
		}
		if owner == nil {
			if owner, err = s.ownerOf(ctx, d.App); err != nil {
				return false, err
			}
		}
		other, err := s.ownerOf(ctx, c.App)
		if err != nil {
			return false, err
		}
		if *other != *owner {
			return false, hostTaken(host)
		}
	}
	return false, nil
}

func hostTaken(host string) error {
	return renga.Errorf(renga.Conflict, "%s is currently in use by another app.", host)
}

func (s *Store) ownerOf(ctx context.Context, app renga.AppID) (*renga.AccountID, error) {
	a, err := s.app(ctx, app)
	return &a.Owner, err
}

// claimsNear reads the claims that a host name is equal to or overlaps with:
// wildcards that it lies below, and for a wildcard the names below it. It
// leaves out the claims of apps that no longer exist.
func (s *Store) claimsNear(ctx context.Context, tx *redis.Tx, host string) (map[string]claimRecord, error) {
	fields := map[string]string{}
	if below, isWildcard := strings.CutPrefix(host, "*"); isWildcard {
		all, err := tx.HGetAll(ctx, keyClaims).Result()
		if err != nil {
			return nil, err
		}
		for other, text := range all {
			if strings.HasSuffix(other, below) {
				fields[other] = text
			}
		}
	}
	above := append([]string{host}, renga.WildcardsOf(host)...)
	found, err := tx.HMGet(ctx, keyClaims, above...).Result()
	if err != nil {
		return nil, err
	}
	for i, name := range above {
		if claim, ok := text(found, i); ok {
			fields[name] = claim
		}
	}
	return s.liveClaims(ctx, tx, fields)
}

// liveClaims decodes claims and leaves out those of apps that no longer exist.
func (s *Store) liveClaims(ctx context.Context, tx *redis.Tx,
	fields map[string]string) (map[string]claimRecord, error) {
	claims, err := decodeCollection[claimRecord](keyClaims, fields)
	if err != nil {
		return nil, err
	}
	for host, c := range claims {
		stays, err := tx.HExists(ctx, keyApps, string(c.App)).Result()
		if err != nil {
			return nil, err
		}
		if !stays {
			delete(claims, host)
		}
	}
	return claims, nil
}

// holds tells whether a name has that very claim.
func (s *Store) holds(ctx context.Context, host string, want claimRecord) (bool, error) {
	var held bool
	err := s.do(ctx, "read claim of "+host, func(ctx context.Context) error {
		claim, err := s.db.HGet(ctx, keyClaims, host).Result()
		if missing(err) {
			return nil
		}
		held = claim == encode(want)
		return err
	})
	return held, err
}

// freeHosts frees those of the host names that have that very claim.
func (s *Store) freeHosts(ctx context.Context, claims map[string]claimRecord) error {
	if len(claims) == 0 {
		return nil
	}
	return s.do(ctx, "release host names", func(ctx context.Context) error {
		return s.transact(ctx, func(tx *redis.Tx) error {
			var ours []string
			for host, c := range claims {
				claim, err := tx.HGet(ctx, keyClaims, host).Result()
				if err != nil && !missing(err) {
					return err
				}
				if claim == encode(c) {
					ours = append(ours, host)
				}
			}
			if len(ours) == 0 {
				return nil
			}
			return multi(ctx, tx, func(p redis.Pipeliner) { p.HDel(ctx, keyClaims, ours...) })
		}, keyClaims)
	})
}

// freeAllHosts frees all host names of an app that is being removed.
func (s *Store) freeAllHosts(ctx context.Context, app renga.AppID) error {
	fields, err := s.db.HGetAll(ctx, keyDomains(app)).Result()
	if err != nil {
		return err
	}
	claims := map[string]claimRecord{}
	for id, text := range fields {
		// A damaged record must not keep the app from being removed, and the claim
		// of a removed app keeps no name from others.
		if r, err := decode[domainRecord](keyDomains(app), text); err == nil {
			claims[r.Hostname] = claimRecord{App: app, ID: id}
		}
	}
	return s.freeHosts(ctx, claims)
}
