package docker

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sys/unix"

	"renga"
	"renga/durable"
	"renga/runtime/engine"
)

// A dyno's disk is looked at often while the daemon's file system fills, and
// seldom while it does not: how full that is tells one cheap call.
const (
	diskTick = 200 * time.Millisecond
	// diskStep and inodeStep are how much less may be free before the dynos are
	// looked at.
	diskStep  = 16 << 20
	inodeStep = 4096
	// diskRest is the longest time between two looks: somebody else may free what a
	// dyno writes. It is the only one where the file system is not to be seen.
	diskRest = 15 * time.Second
	// diskShare bounds how much of the time is spent on looking.
	diskShare = 10
)

// GuardDisks implements [engine.DiskGuard].
func (e *Engine) GuardDisks(ctx context.Context, over func(engine.Instance, int64)) error {
	api, err := e.api(ctx)
	if err != nil {
		return err
	}
	info, err := api.Info(ctx)
	if err != nil {
		return fmt.Errorf("ask where docker keeps its files: %w", e.fault(err))
	}
	g := &diskGuard{e: e, root: info.DockerRootDir, over: over, known: map[string]*dynoDisk{}}
	defer g.telling.Wait()
	tick := time.NewTicker(diskTick)
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
	e    *Engine
	root string // the daemon's data directory
	over func(engine.Instance, int64)

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
	if since < diskShare*g.took || since < diskRest && !(seen && g.filled(now)) {
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
	api, err := g.e.api(ctx)
	if err != nil {
		return err
	}
	running := g.e.ours("", "")
	running.Add("status", "running")
	all, err := api.ContainerList(ctx, container.ListOptions{Filters: running})
	if err != nil {
		return fmt.Errorf("list dynos: %w", g.e.fault(err))
	}
	there := map[string]*dynoDisk{}
	for _, c := range all {
		d := g.known[c.ID]
		if d == nil {
			d = g.e.diskOf(ctx, api, c.ID)
		}
		there[c.ID] = d
		if d == nil || d.limit <= 0 {
			continue
		}
		if used := d.used(ctx, api); used > d.limit {
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
func (e *Engine) diskOf(ctx context.Context, api *session, id string) *dynoDisk {
	c, err := api.ContainerInspect(ctx, id)
	if err != nil || c.Config == nil || c.State == nil {
		return nil
	}
	d := &dynoDisk{Instance: fromLabels(c.Config.Labels), limit: bytesOf(c.Config.Labels[labelDisk]), pid: c.State.Pid}
	d.ID = id
	upper := c.GraphDriver.Data["UpperDir"]
	if upper == "" || unix.Access(upper, unix.R_OK|unix.X_OK) != nil {
		return d
	}
	d.dirs = []string{upper}
	for _, m := range c.Mounts {
		if m.Type == "volume" && m.Source != "" {
			d.dirs = append(d.dirs, m.Source)
		}
	}
	return d
}

// used is what the dyno has on its disk. It need not be exact beyond the limit.
func (d *dynoDisk) used(ctx context.Context, api *session) int64 {
	if len(d.dirs) == 0 {
		c, _, err := api.ContainerInspectWithRaw(ctx, d.ID, true)
		if err != nil || c.SizeRw == nil {
			return 0
		}
		return *c.SizeRw
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

// quotas are the storage options of a dyno, where the daemon's storage driver
// enforces a bound: overlay2 on XFS with project quotas, btrfs, zfs. The dyno is
// told then that its disk is full, and goes on.
func (e *Engine) quotas(size renga.Size) map[string]string {
	if size.DiskBytes <= 0 || e.noQuotas.Load() {
		return nil
	}
	return map[string]string{"size": strconv.FormatInt(size.DiskBytes, 10)}
}

// withoutQuotas tells whether the daemon refused a container for its storage
// options, as drivers do that cannot enforce them. They are left out from then on,
// until the daemon is another one.
func (e *Engine) withoutQuotas(err error, p *plan) bool {
	if p.host.StorageOpt == nil || !strings.Contains(err.Error(), "storage-opt") && !strings.Contains(err.Error(), "StorageOpt") {
		return false
	}
	e.noQuotas.Store(true)
	p.host.StorageOpt = nil
	return true
}

// DiskFree is how many bytes are free where the daemon keeps images and dynos. It
// is an error where that is not to be seen from here.
func (e *Engine) DiskFree(ctx context.Context) (int64, error) {
	api, err := e.api(ctx)
	if err != nil {
		return 0, err
	}
	info, err := api.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask where docker keeps its files: %w", e.fault(err))
	}
	free, err := durable.FreeBytes(info.DockerRootDir)
	if err != nil {
		return 0, fmt.Errorf("docker's directory is not to be seen from here: %w", err)
	}
	return free, nil
}
