package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"renga"
)

// The oldest Redis that is supported.
const minMajor, minMinor = 6, 2

// checkServer finds out whether the server is a Redis that can be used.
func (s *Store) checkServer(ctx context.Context) error {
	return s.do(ctx, "connect to redis", func(ctx context.Context) error {
		if err := s.db.Ping(ctx).Err(); err != nil {
			return s.notRedis(err)
		}
		if err := s.checkVersion(ctx); err != nil {
			return err
		}
		// A Cluster with holes, a replica or a missing permission fails here. Adopt
		// checks whether the data is there.
		if err := s.db.HGet(ctx, keyPlatform, fieldID).Err(); err != nil && !missing(err) {
			return err
		}
		return nil
	})
}

// notRedis turns the error of a server that does not speak Redis's protocol
// into a sentence, and passes on all others.
func (s *Store) notRedis(err error) error {
	_, sentence := s.diagnose(err)
	if strings.HasPrefix(replyText(err), "unknown command") || !replied(err) && sentence == "" {
		return &renga.Error{
			Kind:    renga.Invalid,
			Message: fmt.Sprintf("What answers at %s is not a Redis; correct REDIS_URL.", s.where),
			Err:     fmt.Errorf("ping: %w", err),
		}
	}
	return err
}

// checkVersion refuses an old Redis. A Redis that does not tell its version is
// accepted.
func (s *Store) checkVersion(ctx context.Context) error {
	info, err := s.db.Info(ctx, "server").Result()
	if err != nil {
		if replied(err) {
			return nil // INFO is not allowed for our user
		}
		return err
	}
	version := infoField(info, "redis_version")
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	if errors.Join(errA, errB) != nil || a > minMajor || a == minMajor && b >= minMinor {
		return nil
	}
	return renga.Errorf(renga.Invalid, "Redis at %s has version %s; Renga needs %d.%d or newer.", s.where, version,
		minMajor, minMinor)
}

// warnOfSettings warns of settings under which acknowledged writes may be lost.
// A Redis that does not tell its settings is accepted.
func (s *Store) warnOfSettings(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	for _, want := range []struct{ setting, value, consequence string }{
		{"maxmemory-policy", "noeviction", "Redis may drop the platform's data when its memory is full"},
		{"appendonly", "yes", "Redis may lose the newest releases when it ends unexpectedly"},
	} {
		got, err := s.db.ConfigGet(ctx, want.setting).Result()
		if err != nil || got[want.setting] == "" || got[want.setting] == want.value {
			continue
		}
		s.log.Warn("redis is not set up to keep data safe", "setting", want.setting,
			"value", got[want.setting], "advised", want.value, "consequence", want.consequence)
	}
}

// infoField finds a line "name:value" in an answer to INFO.
func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return value
		}
	}
	return ""
}
