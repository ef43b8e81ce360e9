package store

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// growing are the commands of this package that make Redis's data grow. On a
// full disk they are refused before Redis sees them, while reading and removing
// go on. Add each new command that writes.
var growing = map[string]bool{
	"set": true, "setnx": true, "hset": true, "hsetnx": true, "hincrby": true,
	"rpush": true, "sadd": true, "zadd": true, "pexpire": true,
}

// freeing marks a context whose writes are steps of a removal, and so free
// space in the end.
func freeing(ctx context.Context) context.Context {
	return context.WithValue(ctx, freeingKey{}, true)
}

type freeingKey struct{}

// spaceHook refuses commands that write while the disk is full.
type spaceHook struct{ full func() error }

func (h spaceHook) check(ctx context.Context, cmds ...redis.Cmder) error {
	if ctx.Value(freeingKey{}) != nil {
		return nil
	}
	for _, cmd := range cmds {
		if growing[cmd.Name()] {
			return h.full()
		}
	}
	return nil
}

// DialHook leaves connecting as it is.
func (h spaceHook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook checks a command on its own.
func (h spaceHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := h.check(ctx, cmd); err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook checks commands that go together: all or none of them.
func (h spaceHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := h.check(ctx, cmds...)
		if err == nil {
			return next(ctx, cmds)
		}
		for _, cmd := range cmds {
			cmd.SetErr(err)
		}
		return err
	}
}
