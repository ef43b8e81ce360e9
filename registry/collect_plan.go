package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"renga"
)

// collection is one collection under way. Content is named by the hexadecimal
// digits of its digest.
type collection struct {
	*Collector
	start, fresh time.Time // what was used after fresh stays
	dryRun       bool

	candidates []string           // all content that was there at first and is not fresh
	marked     map[string]bool    // content that is needed
	plans      map[string]appPlan // by the app's name
	images     map[renga.AppID]map[string]bool
	renames    int64 // how many there were before the marking

	result renga.Collection
	perApp map[string]*renga.AppCollection
	owners map[string]string // content that may go to the app that it goes of
}

// appPlan is what one app may lose.
type appPlan struct {
	repositories []repositoryPlan
	expired      map[string][]int // an image to the versions that run it
	renames      int64            // of this app, before the marking
}

// errMoved says that an app was renamed in the middle of a collection.
var errMoved error = renga.Errorf(renga.Unavailable,
	"Apps were renamed all the time; nothing more was removed. Ask again later.")

func (c *collection) do(ctx context.Context) error {
	if err := c.list(ctx); err != nil {
		return fmt.Errorf("list content: %w", err)
	}
	err := errMoved
	for try := 0; try < 5 && errors.Is(err, errMoved); try++ {
		err = c.mark(ctx)
	}
	if err != nil {
		return fmt.Errorf("find out what is needed: %w", err)
	}
	c.assign()
	if c.dryRun {
		return c.sweepContent(ctx)
	}
	err = c.clearAside()
	if err == nil {
		err = c.sweep(ctx)
	}
	if err != nil {
		return fmt.Errorf("remove what is not needed: %w", err)
	}
	return nil
}

// list finds the candidates.
func (c *collection) list(ctx context.Context) error {
	root := c.reg.driver.file(storageRoot + "/blobs/sha256")
	shelves, err := names(root)
	if err != nil {
		return err
	}
	for _, shelf := range shelves {
		if err := ctx.Err(); err != nil {
			return err
		}
		all, err := names(filepath.Join(root, shelf))
		if err != nil {
			return err
		}
		for _, hex := range all {
			switch {
			case !validHex(hex):
			case c.reg.gate.usedAfter(hex, c.fresh):
				c.result.Kept++
			default:
				c.candidates = append(c.candidates, hex)
			}
		}
	}
	return nil
}

// mark marks what is needed. It is errMoved if an app was renamed meanwhile, for
// then something may have been overlooked.
func (c *collection) mark(ctx context.Context) error {
	c.renames = c.reg.renames.all()
	c.marked, c.plans, c.images = map[string]bool{}, map[string]appPlan{}, map[renga.AppID]map[string]bool{}
	known, err := c.wanted(ctx)
	if err != nil {
		return err
	}
	directories, err := os.ReadDir(c.reg.driver.file(storageRoot + "/repositories"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, d := range directories {
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 || !d.IsDir() {
			continue // the other name of an app that is being renamed
		}
		if err := c.markApp(d.Name(), known[d.Name()]); err != nil {
			return fmt.Errorf("app %s: %w", d.Name(), err)
		}
	}
	if err := c.markIntents(); err != nil {
		return err
	}
	if c.reg.renames.all() != c.renames {
		return errMoved
	}
	return nil
}

// wantedApp is what the store says of an app.
type wantedApp struct {
	app      renga.App
	releases []renga.ReleaseRecord
	keeps    []bool
}

// wanted reads all apps and what of their releases stays. An app that is being
// renamed is left out, so that everything of it stays.
func (c *collection) wanted(ctx context.Context) (map[string]wantedApp, error) {
	running, err := c.o.Running(ctx)
	if err != nil {
		return nil, err
	}
	moves, err := c.reg.Moves(ctx)
	if err != nil {
		return nil, err
	}
	apps, err := c.history.Apps(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]wantedApp{}
	for _, a := range apps {
		releases, err := c.history.Releases(ctx, a.ID, renga.ReleaseQuery{})
		if renga.KindOf(err) == renga.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		runs := func(version int) bool { return slices.Contains(running[a.ID], version) }
		known[a.Name] = wantedApp{app: a, releases: releases, keeps: a.Retention.Keeps(releases, runs, c.start)}
	}
	for _, m := range moves {
		delete(known, m.From)
		delete(known, m.To)
	}
	return known, nil
}

// markIntents marks what unfinished pushes are about: what was pushed, and what
// their tag goes back to if they cannot be finished.
func (c *collection) markIntents() error {
	left, err := c.reg.intents.list()
	if err != nil {
		return err
	}
	for _, it := range left {
		for _, dgst := range []string{it.Digest, it.Previous} {
			if hex, ok := storedHex(dgst); ok {
				if err := c.markAnywhere(hex); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// assign notes which app each piece goes of, for the report.
func (c *collection) assign() {
	c.perApp, c.owners = map[string]*renga.AppCollection{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.plans)) {
		for _, repository := range c.plans[name].repositories {
			for _, hex := range slices.Concat(repository.manifests, repository.layers) {
				if _, taken := c.owners[hex]; !taken {
					c.owners[hex] = name
				}
			}
			if c.dryRun {
				c.lost(name, repository.manifests...)
			}
		}
	}
}

// of is what the report says of an app.
func (c *collection) of(app string) *renga.AppCollection {
	one := c.perApp[app]
	if one == nil {
		one = &renga.AppCollection{App: app}
		c.perApp[app] = one
	}
	return one
}

// lost notes manifests that an app has lost, or would lose.
func (c *collection) lost(app string, manifests ...string) {
	one := c.of(app)
	one.Images += len(manifests)
	for _, hex := range manifests {
		for _, version := range c.plans[app].expired[hex] {
			if !slices.Contains(one.Expired, version) {
				one.Expired = append(one.Expired, version)
			}
		}
	}
}

// report is what was done; what is nobody's comes last.
func (c *collection) report() renga.Collection {
	r := c.result
	r.DryRun, r.StartedAt = c.dryRun, c.start
	for _, name := range slices.Sorted(maps.Keys(c.perApp)) {
		if one := *c.perApp[name]; one.Images != 0 || one.Bytes != 0 || len(one.Expired) != 0 {
			slices.Sort(one.Expired)
			r.Apps = append(r.Apps, one)
		}
	}
	if len(r.Apps) > 0 && r.Apps[0].App == "" {
		r.Apps = append(r.Apps[1:], r.Apps[0])
	}
	return r
}

// names lists a directory; one that is not there is empty.
func names(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := f.Readdirnames(-1)
	slices.Sort(all)
	return all, errors.Join(err, f.Close())
}
