package registry

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"renga/durable"
)

// sweep removes what the plans name, then the content that nothing needs.
func (c *collection) sweep(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(c.plans)) {
		if err := c.sweepApp(ctx, name); err != nil {
			return err
		}
	}
	return c.sweepContent(ctx)
}

// sweepApp removes links of an app's repositories. If the app is renamed meanwhile,
// all that is left of it stays until the next collection.
func (c *collection) sweepApp(ctx context.Context, name string) error {
	for _, p := range c.plans[name].repositories {
		if len(p.manifests)+len(p.layers) > 0 {
			defer c.reg.gate.use.forget(name)
		}
		rest := map[string]bool{} // that cannot go now
		err := c.noteExpired(name, p)
		if err == nil {
			err = c.sweepManifests(ctx, name, p, rest)
		}
		if err == nil {
			err = c.sweepLayers(ctx, name, p, rest)
		}
		if errors.Is(err, errMoved) {
			for _, hex := range p.manifests {
				maps.Copy(rest, p.withAll(hex))
			}
			for _, hex := range p.layers {
				rest[hex] = true
			}
			err = nil
		}
		if err != nil {
			return err
		}
		maps.Copy(c.marked, rest)
	}
	return nil
}

// noteExpired has the ledger write down which images releases lose, before they do.
func (c *collection) noteExpired(app string, p repositoryPlan) error {
	if p.name != app+"/"+string(releasesPart) {
		return nil
	}
	var images []string
	for _, hex := range p.manifests {
		if len(c.plans[app].expired[hex]) > 0 {
			images = append(images, "sha256:"+hex)
		}
	}
	if len(images) == 0 {
		return nil
	}
	defer c.reg.apps.RLock(app)()
	if c.moved(app) {
		return errMoved
	}
	return c.ledger.noteExpired(app, images)
}

func (c *collection) moved(app string) bool { return c.reg.renames.of(app) != c.plans[app].renames }

// sweepManifests removes manifests. One that turns out to be in use stays, with all
// that it leads to, which comes later.
func (c *collection) sweepManifests(ctx context.Context, app string, p repositoryPlan, rest map[string]bool) error {
	gone := map[string]bool{}
	for _, hex := range p.manifests {
		if rest[hex] {
			continue
		}
		done, err := c.unlink(ctx, app, hex, revisionsDir(p.name)+"/"+hex)
		if err != nil {
			return err
		}
		if !done {
			maps.Copy(rest, p.withAll(hex))
			continue
		}
		gone[hex] = true
		c.lost(app, hex)
		if subject := p.docs[hex].subject; subject != "" {
			if err := c.reg.forgetReferrer(p.name, subject, hex); err != nil {
				return err
			}
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if err := c.sweepTags(ctx, app, p.name, gone); err != nil {
		return err
	}
	return c.settle(revisionsDir(p.name))
}

// sweepTags removes manifests that are gone from the lists of what tags have named.
func (c *collection) sweepTags(ctx context.Context, app, repository string, gone map[string]bool) error {
	dir := repositoryDir(repository) + "/_manifests/tags"
	tags, err := names(c.reg.driver.file(dir))
	if err != nil {
		return err
	}
	for _, tag := range tags {
		index := dir + "/" + tag + "/index/sha256"
		listed, err := names(c.reg.driver.file(index))
		if err != nil {
			return err
		}
		for _, hex := range listed {
			if !gone[hex] {
				continue
			}
			if _, err := c.unlink(ctx, app, hex, index+"/"+hex); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepLayers removes links to layers.
func (c *collection) sweepLayers(ctx context.Context, app string, p repositoryPlan, rest map[string]bool) error {
	for _, hex := range p.layers {
		if rest[hex] {
			continue
		}
		done, err := c.unlink(ctx, app, hex, filepath.Dir(layerLink(p.name, hex)))
		if err != nil {
			return err
		}
		rest[hex] = !done
	}
	maps.DeleteFunc(rest, func(_ string, stays bool) bool { return !stays })
	if len(p.layers) == 0 {
		return nil
	}
	return c.settle(repositoryDir(p.name) + "/_layers/sha256")
}

// settle makes removals durable, so that after a power loss no link leads to content
// that is gone.
func (c *collection) settle(dir string) error {
	err := durable.SyncDir(c.reg.driver.file(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the app was removed meanwhile
	}
	return err
}

// unlink removes a link to content, unless the content is in use.
func (c *collection) unlink(ctx context.Context, app, hex, dir string) (done bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	defer c.reg.apps.RLock(app)()
	if c.moved(app) {
		return false, errMoved
	}
	path := c.reg.driver.file(dir)
	if info, err := os.Stat(path); err == nil && info.ModTime().After(c.fresh) {
		return false, nil // made just now, its content is perhaps on its way
	}
	return c.remove(hex, path)
}

// remove removes a directory of that content, and notes how long it kept others from it.
// That is one renaming, however large the content is: it is removed when nobody can find
// it any more.
func (c *collection) remove(hex, dir string) (done bool, err error) {
	aside := filepath.Join(c.reg.asideDir(), hex)
	done, err = c.reg.gate.remove(hex, c.fresh, func() error {
		begun := time.Now()
		err := os.Rename(dir, aside)
		c.result.LongestHold = max(c.result.LongestHold, time.Since(begun))
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went with its app
		}
		return err
	})
	if done && err == nil {
		err = os.RemoveAll(aside)
	}
	return done, err
}

// clearAside removes what a collection that was killed had put aside.
func (c *collection) clearAside() error {
	if err := os.RemoveAll(c.reg.asideDir()); err != nil {
		return err
	}
	return os.Mkdir(c.reg.asideDir(), 0o700)
}

// sweepContent removes content that nothing needs, or counts it.
func (c *collection) sweepContent(ctx context.Context) error {
	for _, hex := range c.candidates {
		if c.marked[hex] {
			c.result.Kept++
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		file := c.reg.gate.file(hex)
		var size int64
		if info, err := os.Stat(file); err == nil {
			size = info.Size()
		}
		done := c.dryRun
		if !c.dryRun {
			var err error
			if done, err = c.remove(hex, filepath.Dir(file)); err != nil {
				return err
			}
		}
		if !done {
			c.result.Kept++
			continue
		}
		c.result.Removed++
		c.result.Bytes += size
		c.of(c.owners[hex]).Bytes += size
	}
	return nil
}
