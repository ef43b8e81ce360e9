package docker

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"renga/docker"
	"renga/runtime/engine"
)

// A dyno's disk is looked at often while the daemon's file system fills, and
// seldom while it does not: how full that is tells one cheap call.
const (
	diskInterval = 200 * time.Millisecond
	// diskStep and inodeStep are how much less may be free before the dynos are
	// looked at.
	diskStep  = 16 << 20
	inodeStep = 4096
	// maxDiskInterval is the longest time between two looks: somebody else may free
	// what a dyno writes. It is the only one where the file system is not to be seen.
	maxDiskInterval = 15 * time.Second
	// diskShare bounds how much of the time is spent on looking.
	diskShare = 10
)

// GuardDisks implements [engine.DiskGuard].
func (e *Engine) GuardDisks(ctx context.Context, over func(engine.Instance, int64)) error {
	root, err := e.docker.Root(ctx)
	if err != nil {
		return err
	}
	g := &diskGuard{docker: e.docker, root: root, over: over, known: map[string]*dynoDisk{}}
	defer g.telling.Wait()
	tick := time.NewTicker(diskInterval)
	defer tick.Stop()
	for {
		if err := g.look(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// diskGuard is what one GuardDisks remembers.
type diskGuard struct {
	docker *docker.Client
	root   string // the daemon's data directory
	over   func(engine.Instance, int64)

	telling sync.WaitGroup
	told    sync.Map             // the ids of containers that over is told of right now
	known   map[string]*dynoDisk // by the container's id
	last    unix.Statfs_t        // at the last look
	at      time.Time            // when that ended
	took    time.Duration
}

// look looks at the dynos' disks, if it is time.
func (g *diskGuard) look(ctx context.Context) error {
	var now unix.Statfs_t
	seen := unix.Statfs(g.root, &now) == nil
	since := time.Since(g.at)
	if since < diskShare*g.took || since < maxDiskInterval && !(seen && g.filled(now)) {
		return nil
	}
	began := time.Now()
	err := g.measure(ctx)
	g.last, g.at, g.took = now, time.Now(), time.Since(began)
	return err
}

// filled tells whether the file system has become fuller since the last look. If
// it has become emptier, it is compared with that from now on.
func (g *diskGuard) filled(now unix.Statfs_t) bool {
	step := uint64(diskStep / max(now.Bsize, 1))
	if now.Bfree+step < g.last.Bfree || now.Ffree+inodeStep < g.last.Ffree {
		return true
	}
	g.last.Bfree, g.last.Ffree = max(now.Bfree, g.last.Bfree), max(now.Ffree, g.last.Ffree)
	return false
}

// measure measures every running dyno.
func (g *diskGuard) measure(ctx context.Context) error {
	running, err := g.docker.ListRunning(ctx, docker.Dyno)
	if err != nil {
		return fmt.Errorf("list dynos: %w", err)
	}
	there := map[string]*dynoDisk{}
	for _, id := range running {
		d := g.known[id]
		if d == nil {
			d = g.diskOf(ctx, id)
		}
		there[id] = d
		if d == nil || d.limit <= 0 {
			continue
		}
		if used := g.used(ctx, d); used > d.limit {
			g.tell(d.Instance, used)
		}
	}
	g.known = there
	return ctx.Err()
}

// tell tells over, which takes its time, beside the looks.
func (g *diskGuard) tell(i engine.Instance, used int64) {
	if _, busy := g.told.LoadOrStore(i.ID, true); busy {
		return
	}
	g.telling.Go(func() {
		defer g.told.Delete(i.ID)
		g.over(i, used)
	})
}

// dynoDisk is where a dyno writes.
type dynoDisk struct {
	engine.Instance
	limit int64
	pid   int
	// dirs are its own layer and the volumes that its image declares; none where
	// they cannot be seen from here.
	dirs []string
}

// diskOf finds that out; nil for a container that has gone.
func (g *diskGuard) diskOf(ctx context.Context, id string) *dynoDisk {
	c, err := g.docker.Inspect(ctx, id)
	if err != nil || c == nil {
		return nil
	}
	d := &dynoDisk{Instance: fromLabels(c.Labels), limit: bytesOf(c.Labels[labelDisk]), pid: c.Pid}
	d.ID = id
	if c.Layer == "" || unix.Access(c.Layer, unix.R_OK|unix.X_OK) != nil {
		return d
	}
	d.dirs = append([]string{c.Layer}, c.Volumes...)
	return d
}

// used is what the dyno has on its disk. It need not be exact beyond the limit.
func (g *diskGuard) used(ctx context.Context, d *dynoDisk) int64 {
	if len(d.dirs) == 0 {
		size, err := g.docker.Size(ctx, d.ID)
		if err != nil {
			return 0 // it has gone, or the next look tells
		}
		return size
	}
	count := &diskCount{most: d.limit, seen: map[inode]bool{}}
	for _, dir := range d.dirs {
		count.dir(dir)
	}
	if count.bytes <= count.most {
		count.unlinked(d.pid, d.ID)
	}
	return count.bytes
}

// bytesOf reads a label; 0 when it is none.
func bytesOf(label string) int64 {
	n, err := strconv.ParseInt(label, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
