package runtime

import (
	"context"
	"fmt"
	"time"

	"renga/runtime/engine"
	"renga/runtime/plan"
)

// fullFor is how long it is remembered why a dyno that wrote too much has ended.
const fullFor = 24 * time.Hour

// guardDisks ends dynos that write more to their disks than they may, before the
// machine's disk is full. An engine that cannot tell has none that do.
func (m *Manager) guardDisks(ctx context.Context) {
	guard, ok := m.engine.(engine.DiskGuard)
	if !ok {
		return
	}
	b := backoff{}
	for ctx.Err() == nil {
		began := m.opts.Now()
		err := guard.GuardDisks(ctx, func(i engine.Instance, bytes int64) { m.overDisk(ctx, i, bytes) })
		if ctx.Err() != nil {
			return
		}
		if m.opts.Now().Sub(began) > plan.LongestRetry {
			b = backoff{}
		}
		pause := b.next()
		b.log(ctx, m.log, "the dynos' disks cannot be looked at", err)
		wait(ctx, pause)
	}
}

// overDisk ends a dyno at once: each second that it is left to end by itself it
// writes on. It counts as crashed.
func (m *Manager) overDisk(ctx context.Context, i engine.Instance, bytes int64) {
	if m.toldOfDisk.allow(i.ID, m.opts.Now(), fullFor) {
		m.log.WarnContext(ctx, "dyno has too much on its disk (R20)", "app", i.App, "dyno", i.Name, "bytes", bytes, "size", i.Size)
		m.say(i.App, i.Name, "Error R20 (Disk quota exceeded) -> The dyno has %d MB on its disk, more than %s allows", bytes>>20, i.Size)
		m.say(i.App, i.Name, "Stopping process with SIGKILL")
	}
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	err := m.engine.Kill(ctx, i.ID)
	m.stats.step("kill", err)
	if err != nil { // it is told of again, for it still runs
		m.log.WarnContext(ctx, "dyno does not end", "app", i.App, "dyno", i.Name, "err", fmt.Errorf("kill %s: %w", i.Name, err))
	}
}
