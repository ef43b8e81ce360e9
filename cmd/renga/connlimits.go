package main

import (
	"fmt"
	"log/slog"
	"syscall"

	"renga/front"
)

const (
	// mostConnections is the default when descriptors allow more: each takes some
	// ten kilobytes of memory.
	mostConnections = 20_000
	// A quarter of the file descriptors, within these, is kept for Renga's own
	// needs: Redis, the engine, blobs, logs.
	fewestOwnFiles = 128
	mostOwnFiles   = 8192
	// fewFiles is a limit that clients will feel.
	fewFiles = 1024
)

// raiseFiles makes the most of the number of files that this process may open,
// and says how many that are.
func raiseFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read how many files may be open: %w", err)
	}
	if limit.Cur < limit.Max {
		limit.Cur = limit.Max
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return 0, fmt.Errorf("raise how many files may be open to %d: %w", limit.Max, err)
		}
	}
	const enough = 1 << 30 // there may be no limit
	return int(min(limit.Cur, enough)), nil
}

// connLimits are the bounds of connections with so many files. A request to an app
// takes two: the client's and the dyno's.
func connLimits(s Settings, files int) front.ConnLimits {
	own := min(max(files/4, fewestOwnFiles), mostOwnFiles)
	most := max((files-own)/2, 1)
	b := front.ConnLimits{All: min(most, mostConnections), PerAddress: s.MaxConnectionsPerAddress, Files: max(files-own, 1)}
	if s.MaxConnections > 0 {
		b.All = min(most, s.MaxConnections)
	}
	if b.PerAddress == 0 {
		b.PerAddress = max(b.All/4, 1)
	}
	return b
}

// newLimiter lets in as many clients as the machine lets us.
func newLimiter(s Settings, log *slog.Logger) (*front.ConnLimiter, error) {
	files, err := raiseFiles()
	if err != nil {
		return nil, err
	}
	b := connLimits(s, files)
	if files < fewFiles || s.MaxConnections > b.All {
		log.Warn("few files may be open, and so few clients connected; raise the limit: LimitNOFILE= in a systemd unit, "+
			"--ulimit nofile= in docker run, ulimit -n in a shell",
			"files", files, "connections", b.All, "per_address", b.PerAddress)
	}
	return front.NewConnLimiter(b, log), nil
}
