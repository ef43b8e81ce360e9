package redisserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"renga"
	"renga/durable"
)

const (
	// reserveBytes is the room that redis-server always has ahead of it.
	reserveBytes = 8 << 20
	// leastFree is how much of the disk must be free for what makes records grow.
	leastFree = 1 << 20
	// reserveEvery is how often the reserve is filled up. Redis writes far less
	// than half of it in that time.
	reserveEvery = time.Second
)

// reserve keeps room on the disk for redis-server, which ends when it cannot
// write, for it acknowledges nothing that is not fsynced. The room is allocated
// behind the end of the append-only file (fallocate, FALLOC_FL_KEEP_SIZE): unlike
// a file that is given up when it is needed, nobody else can take it then.
//
// On a full disk it is what removing apps is written with, and what Redis writes
// by itself when keys expire.
type reserve struct {
	dir string
	log *slog.Logger
}

// run makes the reserve again and again until ctx ends.
func (r reserve) run(ctx context.Context) {
	for {
		switch err := r.make(); {
		case err == nil, errors.Is(err, unix.ENOSPC): // which every refused change says
		default:
			r.log.Warn("no room can be kept for redis on this disk: when it is full, apps may not be removable", "err", err)
			return
		}
		if sleep(ctx, reserveEvery) != nil {
			return
		}
	}
}

// make allocates what is missing of the reserve.
func (r reserve) make() error {
	path := r.appendOnly()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // not yet, or just replaced
	}
	if err != nil {
		return fmt.Errorf("keep room for redis: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return fmt.Errorf("keep room for redis: %w", err)
	}
	if st.Blocks*512-st.Size > reserveBytes/2 {
		return nil
	}
	if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, st.Size+reserveBytes); err != nil {
		return fmt.Errorf("keep room for redis: %w", err)
	}
	return nil
}

// appendOnly is the file that redis-server appends to: the newest of Redis 7's,
// or the one of Redis 6.
func (r reserve) appendOnly() string {
	parts, err := filepath.Glob(filepath.Join(r.dir, "appendonlydir", "*.incr.aof"))
	if err != nil || len(parts) == 0 {
		return filepath.Join(r.dir, "appendonly.aof")
	}
	return slices.MaxFunc(parts, func(a, b string) int { return modified(a).Compare(modified(b)) })
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{} // it was just replaced
	}
	return info.ModTime()
}

// Full tells whether the disk is too full for what makes records grow; its
// sentence says which, and what to do.
func (s *Server) Full() error {
	free, err := durable.FreeBytes(s.dir)
	if err != nil || free >= leastFree {
		return err
	}
	return renga.Errorf(renga.NoSpace, "The disk of %s is full: nothing can be changed until there is room on it, but "+
		"apps can still be deleted. Free some space.", s.dir)
}
