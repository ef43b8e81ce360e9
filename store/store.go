// Package store keeps the platform's moving facts in Redis: accounts and token
// hashes, apps and their names, release records and outcomes, formations,
// dynos. It holds no secret in clear: config vars and credentials are only in
// the sealed releases of the registry's ledger, and keys of certificates,
// passwords of add-ons and secrets of webhooks are sealed (secret.go).
//
// Every key, its type and its one writer stand in keys.go. What belongs
// together is written in one MULTI under WATCH, so that killing Renga or Redis
// at any moment leaves either the old state or the new one. Every answered
// write is as durable as Redis's own settings make it; the supervised server
// (redisserver) fsyncs each one.
//
// Errors that a user may read are *renga.Error. While Redis is away, every call
// fails with kind Unavailable after about three seconds at the most, and works
// again by itself once Redis is back. While Redis answers without the
// platform's data, every call fails with Unavailable too, never NotFound: an
// empty Redis must not look like a platform without apps.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"renga"
)

// opTimeout bounds one call, all its round trips and retries together.
const opTimeout = 2 * time.Second

// Options say where Redis is.
type Options struct {
	// URL has one of these forms; user, password and everything after the
	// hosts may be left out. Special characters in a password are
	// percent-encoded. The names with rediss use TLS and trust the system's
	// certificate authorities (SSL_CERT_FILE names others).
	//
	//	redis://user:password@host:6379/db           one server
	//	rediss://user:password@host:6379/db          the same over TLS
	//	unix://user:password@/path/redis.sock?db=0   one server, local socket
	//	redis+sentinel://user:password@h1:26379,h2:26379/master?db=0
	//	redis+cluster://user:password@h1:6379,h2:6379
	//	rediss+sentinel://, rediss+cluster://        the same over TLS
	//
	// Parameters: db, pool_size (connections per server), skip_verify=true (TLS
	// without checking the certificate), and for Sentinels that want a password
	// of their own sentinel_user and sentinel_password. ACL users need the keys
	// renga:* and the commands of +@read +@write +@transaction +@connection;
	// INFO and CONFIG GET are used when they are allowed.
	URL string
	// Sealer encrypts the few secrets that live here: keys of certificates,
	// passwords of add-ons, secrets of webhooks. Without one they can be neither written nor read.
	Sealer Sealer
	// Full says that the disk that Redis writes to is full, and what to do; nil
	// when it is not. Without the function nobody knows.
	Full func() error
	Log  *slog.Logger
}

// Sealer encrypts, and binds what it encrypts to associated data.
type Sealer interface {
	Seal(plain, associated []byte) ([]byte, error)
	Open(sealed, associated []byte) ([]byte, error)
}

// Store is a connection to the platform's Redis. All methods may be called at
// once from several goroutines.
type Store struct {
	db    redis.UniversalClient
	where string // the address without credentials, for messages
	seals Sealer
	log   *slog.Logger
}

// Open connects, and fails unless a Redis of at least version 6.2 answers
// and lets us in. It warns about settings under which Redis may lose data.
// Neither errors nor log lines hold the password.
func Open(ctx context.Context, o Options) (*Store, error) {
	addr, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	redis.SetLogger(redisLogger{o.Log})
	s := &Store{db: redis.NewUniversalClient(withTimeouts(addr)), where: addr.where, seals: o.Sealer, log: o.Log}
	if o.Full != nil {
		s.db.AddHook(spaceHook{o.Full})
	}
	if err := s.checkServer(ctx); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	s.warnOfSettings(ctx)
	return s, nil
}

// Close ends all connections. Calls after it fail.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close redis client: %w", err)
	}
	return nil
}

// Ping tells whether Redis answers and holds the platform's data; its error's
// message is fit for a health page.
func (s *Store) Ping(ctx context.Context) error {
	return s.do(ctx, "ping redis", s.ready)
}

// withTimeouts sets timeouts so that a call ends within opTimeout whatever Redis
// does. Retries are off: go-redis cannot know which writes may be repeated.
// Only Cluster redirections repeat a command, and every write here is either
// guarded by WATCH or may be repeated.
func withTimeouts(a address) *redis.UniversalOptions {
	o := a.options
	o.ClientName = "renga"
	o.DisableIdentity = true
	o.MaxRetries = -1
	o.DialTimeout = time.Second
	o.DialerRetries = 1
	o.ReadTimeout = opTimeout
	o.WriteTimeout = opTimeout
	o.PoolTimeout = opTimeout
	o.ContextTimeoutEnabled = true
	o.PipelinePoolSize = -1 // one pool is enough for batches of our size
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &o
}

// do runs one operation within opTimeout and turns its faults into sentences.
func (s *Store) do(ctx context.Context, op string, f func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	err := f(bounded)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", op, ctx.Err())
	}
	return s.explain(op, err)
}

// read sends queue's commands, and the question whether the platform's data is
// there, in one round trip. Commands that find nothing are no error.
func (s *Store) read(ctx context.Context, queue func(redis.Pipeliner)) error {
	var platform *redis.SliceCmd
	err := pipelined(ctx, s.db, func(p redis.Pipeliner) {
		queue(p)
		platform = p.HMGet(ctx, keyPlatform, fieldID, fieldRestoring)
	})
	if err != nil {
		return err
	}
	return present(platform)
}

// ready fails unless the platform's data is there.
func (s *Store) ready(ctx context.Context) error {
	return s.read(ctx, func(redis.Pipeliner) {})
}

// transact runs f under WATCH on keys, again for as long as others change
// them in between. All keys must share one hash tag.
func (s *Store) transact(ctx context.Context, f func(tx *redis.Tx) error, keys ...string) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 32*time.Millisecond) {
		err := s.db.Watch(ctx, f, keys...)
		if !errors.Is(err, redis.TxFailedErr) {
			return err
		}
		if err := sleep(ctx, rand.N(pause)); err != nil {
			return err
		}
	}
}

// batcher is a client or a transaction.
type batcher interface {
	Pipelined(ctx context.Context, f func(redis.Pipeliner) error) ([]redis.Cmder, error)
}

// pipelined sends queue's commands in one round trip. Unlike go-redis it does
// not let a missing key, which is no fault, hide the fault of a later command.
func pipelined(ctx context.Context, b batcher, queue func(redis.Pipeliner)) error {
	cmds, err := b.Pipelined(ctx, func(p redis.Pipeliner) error {
		queue(p)
		return nil
	})
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && !missing(err) {
			return err
		}
	}
	if missing(err) {
		return nil
	}
	return err
}

// multi sends queue's commands as one MULTI … EXEC. When Redis refuses one of
// them, that reason is the error, not that EXEC was refused in consequence.
func multi(ctx context.Context, tx *redis.Tx, queue func(redis.Pipeliner)) error {
	cmds, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
		queue(p)
		return nil
	})
	for _, cmd := range cmds {
		if cause := cmd.Err(); cause != nil && !redis.IsExecAbortError(cause) {
			return cause
		}
	}
	return err
}

// redisLogger is the adapter that sends go-redis's log, which would go to
// standard error, to ours.
type redisLogger struct{ log *slog.Logger }

// Printf logs one line of go-redis's.
func (c redisLogger) Printf(_ context.Context, format string, v ...any) {
	c.log.Debug("redis client", "text", strings.TrimSpace(fmt.Sprintf(format, v...)))
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func now() time.Time { return time.Now().UTC() }

// missing tells whether Redis answered that a key or field does not exist. It
// does not unwrap: go-redis wraps the same value when Sentinels know no
// primary, and that must never be taken for an answer.
func missing(err error) bool { return err == redis.Nil } //nolint:errorlint // see above

// notFound is the error for an app that does not exist.
func notFound(id renga.AppID) error {
	return renga.Errorf(renga.NotFound, "Couldn't find app %s.", id)
}
