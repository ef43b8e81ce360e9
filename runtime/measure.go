package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"golang.org/x/sync/errgroup"

	"renga"
	"renga/runtime/engine"
)

// maxMeasures bounds how many instances are measured at once.
const maxMeasures = 4

// Samples tells what every running dyno uses now. Those that cannot be measured
// are left out; the error says why.
func (m *Manager) Samples(ctx context.Context) ([]renga.Sample, error) {
	measurer, ok := m.engine.(engine.Measurer)
	if !ok {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	instances, err := m.engine.List(ctx, "")
	m.stats.engine(err)
	if err != nil {
		return nil, fmt.Errorf("list dynos: %w", err)
	}
	apps := m.Apps()
	var mu sync.Mutex
	var all []renga.Sample
	var errs []error
	var tasks errgroup.Group
	tasks.SetLimit(maxMeasures)
	for _, i := range instances {
		app, known := apps[i.App]
		if !known || i.State != engine.Running {
			continue
		}
		tasks.Go(func() error {
			used, err := measurer.Measure(ctx, i.ID)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				all = append(all, m.sample(app, i, used))
			case renga.KindOf(err) != renga.NotFound: // it has just ended
				errs = append(errs, err)
			}
			return nil
		})
	}
	_ = tasks.Wait() // never fails
	return all, errors.Join(errs...)
}

func (m *Manager) sample(app renga.App, i engine.Instance, used renga.Usage) renga.Sample {
	return renga.Sample{
		App: app, Dyno: i.Dyno, Name: i.Name, Type: i.Type, Quota: m.opts.Sizes[i.Size].MemoryBytes,
		Started: i.StartedAt, At: m.opts.Now(), Usage: used,
	}
}

// Apps are those that the manager looks after, as it found them last.
func (m *Manager) Apps() map[renga.AppID]renga.App { return m.apps.all() }

// Dynos are those of all apps, as the store was told last.
func (m *Manager) Dynos() []renga.Dyno { return m.stats.allDynos() }

// knownApps is what the looks found out about apps, for whoever needs it between
// two of them.
type knownApps struct {
	mu   sync.Mutex
	apps map[renga.AppID]renga.App
}

func (b *knownApps) note(a renga.App) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.apps == nil {
		b.apps = map[renga.AppID]renga.App{}
	}
	b.apps[a.ID] = a
}

func (b *knownApps) forget(id renga.AppID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.apps, id)
}

func (b *knownApps) all() map[renga.AppID]renga.App {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.apps)
}
