package runtime

import (
	"context"
	"sync"

	"renga"
)

// dispatch owns the workers: it makes one for each app that is queued, and lets
// go of those whose apps are no more.
func (m *Manager) dispatch(ctx context.Context) {
	workers := map[renga.AppID]*worker{}
	retired := make(chan *worker)
	var running sync.WaitGroup
	defer running.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-retired:
			delete(workers, w.app)
			m.forget(w.app, len(w.again) > 0)
		case <-m.signal:
			for app := range m.takeQueued() {
				w, ok := workers[app]
				if !ok {
					w = newWorker(m, app)
					workers[app] = w
					running.Go(func() {
						w.run(ctx)
						select {
						case retired <- w:
						case <-ctx.Done():
						}
					})
				}
				w.lookAgain()
			}
		}
	}
}

// takeQueued empties the list of apps to look at, and notes that all of them
// have workers from now on.
func (m *Manager) takeQueued() map[renga.AppID]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.queued
	m.queued = map[renga.AppID]bool{}
	for app := range all {
		if _, ok := m.known[app]; !ok {
			m.known[app] = false
		}
	}
	return all
}

// forget ends what is known of an app; one that was queued meanwhile begins anew.
func (m *Manager) forget(app renga.AppID, again bool) {
	m.looked(app)
	m.mu.Lock()
	delete(m.known, app)
	delete(m.wakingUp, app)
	delete(m.looks, app) // who waits for one gives up
	m.mu.Unlock()
	m.stats.forget(app)
	m.apps.forget(app)
	if again {
		m.Reconcile(app)
	}
}

// looked notes an app's first look.
func (m *Manager) looked(app renga.AppID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[app] = true
	delete(m.awaited, app)
	m.settleLocked()
}

func (m *Manager) settleLocked() {
	if m.found && len(m.awaited) == 0 && !m.Ready() {
		close(m.settled)
	}
}
