package runtime

import (
	"context"
	"errors"
	"time"

	"renga"
)

// watchHolds is when a watch that has not broken off counts as connected.
const watchHolds = time.Second

// discover finds the apps that nobody named: at the start all of them, later those
// that were queued in vain and orphans in the engine.
func (m *Manager) discover(ctx context.Context) {
	b := backoff{}
	for ctx.Err() == nil {
		err := m.find(ctx)
		pause := m.opts.Resync
		if err != nil {
			pause = b.next()
			b.log(ctx, m.log, "cannot list the apps", err)
		} else {
			b = backoff{}
		}
		wait(ctx, pause)
	}
}

// find queues every app of the store, of the engine and of the logs that has no
// worker yet.
func (m *Manager) find(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	ids, err := m.db.AppIDs(ctx)
	m.stats.store(err)
	instances, engineErr := m.engine.List(ctx, "")
	m.stats.engine(engineErr)
	for _, i := range instances {
		ids = append(ids, i.App)
	}
	logged, logsErr := m.opts.Logs.Apps()
	ids = append(ids, logged...)
	err = errors.Join(err, engineErr)
	m.introduce(ids, err == nil)
	return errors.Join(err, logsErr)
}

// introduce queues the apps that have no worker yet. The first time that these
// are all there are, the manager is ready once each had a look.
func (m *Manager) introduce(ids []renga.AppID, all bool) {
	m.mu.Lock()
	for _, id := range ids {
		looked, ok := m.known[id]
		if !ok {
			m.queued[id] = true
		}
		if !looked && !m.found {
			m.awaited[id] = true
		}
	}
	m.found = m.found || all
	m.settleLocked()
	m.mu.Unlock()
	notify(m.signal)
}

// watch has apps looked at when the engine tells of events. Each time that it connects every
// app is looked at, for events were missed before; after the engine was started
// anew that is what brings the dynos back.
func (m *Manager) watch(ctx context.Context) {
	b := backoff{}
	for ctx.Err() == nil {
		timer := time.AfterFunc(watchHolds, m.reconcileAll)
		err := m.engine.Watch(ctx, m.onEvent)
		if ctx.Err() != nil {
			timer.Stop()
			return
		}
		if held := !timer.Stop(); held {
			b = backoff{}
		}
		m.stats.engine(err)
		pause := b.next()
		b.log(ctx, m.log, "the engine's events broke off", err)
		wait(ctx, pause)
	}
}
