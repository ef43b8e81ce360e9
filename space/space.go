// Package space knows what takes up the data disk, app by app, and what to do when it
// fills: it warns, and has what nothing needs removed before its time. Whoever writes
// refuses by itself once the disk is full; see durable.Marks, which all of them share.
package space

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"renga"
	"renga/durable"
)

const (
	// lookEvery is the time between two looks at the free space.
	lookEvery = 10 * time.Second
	// collectEvery is the time between two collections while the disk stays low.
	collectEvery = time.Hour
	// contentFor is how long what is known of the registry is told again; foldersFor the
	// same of folders, which are walked for it.
	contentFor = 5 * time.Second
	foldersFor = time.Minute
)

// Content knows how much of the registry each app has, by the app's name, and how much
// there is in all.
type Content interface {
	AppContent(ctx context.Context) (map[string]renga.ContentUse, int64, error)
}

// Records are the apps and their backups.
type Records interface {
	Apps(ctx context.Context) ([]renga.App, error)
	Backups(ctx context.Context) ([]renga.Backup, error)
}

// Folders are where the rest is.
type Folders struct {
	Logs, Outputs string   // with a folder for each app, of its id
	Redis         string   // of the supervised server; not there if it is another
	Audit         []string // patterns of files
}

// Options are what New needs.
type Options struct {
	Marks   *durable.Marks
	Folders Folders
	// AddOnData gives the bytes of the add-ons' data by the app that they were made for,
	// as they were measured last.
	AddOnData func() map[renga.AppID]int64
	// Quota is that of an app that has none of its own; 0 for none.
	Quota int64
	// Tell tells webhooks of another level. What fails is told again; nil tells nobody.
	Tell func(ctx context.Context, was, is renga.DiskState) error
	// Collect removes what nothing needs any more.
	Collect func(ctx context.Context) error
	Log     *slog.Logger
	Now     func() time.Time
	// Every is the time between two looks; ten seconds by default.
	Every time.Duration
}

// Space is the room.
type Space struct {
	o       Options
	content Content
	records Records

	measuring sync.Mutex // held while it is measured, and guards what was
	last      renga.DiskUse
	folders   folderSizes

	mu    sync.Mutex // guards the rest
	level durable.Level
	since time.Time
}

// New makes a Space. Nothing is started.
func New(o Options, c Content, r Records) *Space {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Every == 0 {
		o.Every = lookEvery
	}
	return &Space{o: o, content: c, records: r, since: o.Now()}
}

// Run looks at the disk until ctx ends; it then returns nil.
func (s *Space) Run(ctx context.Context) error {
	var both errgroup.Group
	early := make(chan struct{}, 1)
	both.Go(func() error { return s.collectEarly(ctx, early) })
	both.Go(func() error { return s.watch(ctx, early) })
	return both.Wait()
}

// watch tells when the disk's level changes, and asks for a collection when it has
// become worse, and now and then as long as it is not well. Others look, too, so that
// it remembers itself which level was last.
func (s *Space) watch(ctx context.Context, early chan<- struct{}) error {
	ticker := time.NewTicker(s.o.Every)
	defer ticker.Stop()
	var asked time.Time
	last := durable.OK
	told, _ := s.disk(renga.DiskOK) // what cannot be read is told later, or not
	for {
		s.look()
		now := s.o.Now()
		level, _ := s.state()
		worse := level > last
		last = level
		told = s.tell(ctx, told, levels[level])
		if level != durable.OK && (worse || now.Sub(asked) >= collectEvery) {
			asked = now
			select {
			case early <- struct{}{}:
			default: // one is under way, and another is to come
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// tell tells webhooks of the disk's level if it is another than they were told last. It
// gives what they know now.
func (s *Space) tell(ctx context.Context, told renga.DiskState, level renga.DiskLevel) renga.DiskState {
	if s.o.Tell == nil || level == told.Level {
		return told
	}
	is, err := s.disk(level)
	if err == nil {
		err = s.o.Tell(ctx, told, is)
	}
	if err != nil {
		s.o.Log.Warn("webhooks are not told yet of the disk's level", "level", level, "err", err)
		return told
	}
	return is
}

// disk is the disk as webhooks are told of it.
func (s *Space) disk(level renga.DiskLevel) (is renga.DiskState, err error) {
	is.Level = level
	if is.Free, err = durable.FreeBytes(s.o.Marks.Dir); err == nil {
		is.Total, err = durable.TotalBytes(s.o.Marks.Dir)
	}
	return is, err
}

func (s *Space) collectEarly(ctx context.Context, asked <-chan struct{}) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-asked:
		}
		err := s.o.Collect(ctx)
		if err != nil && renga.KindOf(err) != renga.Conflict && ctx.Err() == nil {
			s.o.Log.Error("nothing could be collected although the disk is low", "err", err)
		}
	}
}

// look takes the disk's level over, and logs it if it is another.
func (s *Space) look() {
	level, free, err := s.o.Marks.Look()
	if err != nil {
		s.o.Log.Error("the data disk cannot be looked at", "err", err)
		return
	}
	s.mu.Lock()
	was := s.level
	if level != was {
		s.level, s.since = level, s.o.Now()
	}
	s.mu.Unlock()
	if level == was {
		return
	}
	facts := []any{"level", levels[level], "was", levels[was], "free", free, "low", s.o.Marks.Low, "full", s.o.Marks.Full}
	switch level {
	case durable.Full:
		s.o.Log.Error("the data disk is full: nothing is pushed until there is room; what runs, pulls and rollbacks go on. "+
			"renga du says what takes it up", facts...)
	case durable.Low:
		s.o.Log.Warn("the data disk is low. renga du says what takes it up, renga gc --dry-run what could go", facts...)
	default:
		s.o.Log.Info("the data disk has room again", facts...)
	}
}

var levels = map[durable.Level]renga.DiskLevel{
	durable.OK: renga.DiskOK, durable.Low: renga.DiskLow, durable.Full: renga.DiskFull,
}

func (s *Space) state() (durable.Level, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.level, s.since
}

// Level is how full the disk was when it was looked at last.
func (s *Space) Level() renga.DiskLevel {
	level, _ := s.state()
	return levels[level]
}

// Use is how much of the disk is used, and by what. It may be some seconds old, and what
// is in folders a minute.
func (s *Space) Use(ctx context.Context) (renga.DiskUse, error) {
	s.measuring.Lock()
	defer s.measuring.Unlock()
	if now := s.o.Now(); s.last.At.IsZero() || now.Sub(s.last.At) >= contentFor {
		if err := s.measure(ctx, now); err != nil {
			return renga.DiskUse{}, err
		}
	}
	use := s.last
	s.look()
	level, since := s.state()
	use.Level, use.Since = levels[level], since
	var err error
	use.Free, err = durable.FreeBytes(s.o.Marks.Dir)
	return use, err
}

// AppUse is what one app takes up.
func (s *Space) AppUse(ctx context.Context, a renga.App) (renga.AppDiskUse, error) {
	all, err := s.Use(ctx)
	if err != nil {
		return renga.AppDiskUse{}, err
	}
	for _, one := range all.Apps {
		if one.App == a.ID {
			one.Name, one.Quota = a.Name, s.quota(a)
			return one, nil
		}
	}
	return renga.AppDiskUse{App: a.ID, Name: a.Name, Quota: s.quota(a)}, nil // it was just made
}

func (s *Space) quota(a renga.App) int64 {
	if a.DiskQuota != 0 {
		return a.DiskQuota
	}
	return s.o.Quota
}

func (s *Space) measure(ctx context.Context, now time.Time) error {
	if s.folders.at.IsZero() || now.Sub(s.folders.at) >= foldersFor {
		folders, err := s.o.Folders.measure(ctx, now)
		if err != nil {
			return err
		}
		s.folders = folders
	}
	content, sum, err := s.content.AppContent(ctx)
	if err != nil {
		return err
	}
	apps, err := s.records.Apps(ctx)
	if err != nil {
		return err
	}
	kept, err := s.records.Backups(ctx)
	if err != nil {
		return err
	}
	use := renga.DiskUse{
		At: now, Low: max(s.o.Marks.Low, s.o.Marks.Full), Full: s.o.Marks.Full, Content: sum,
		Redis: s.folders.redis, Audit: s.folders.audit, Logs: sumOf(s.folders.logs), Outputs: sumOf(s.folders.outputs),
	}
	if use.Total, err = durable.TotalBytes(s.o.Marks.Dir); err != nil {
		return err
	}
	backups := map[renga.AppID]int64{}
	for _, b := range kept {
		backups[b.App] += b.StoredBytes
		use.Backups += b.StoredBytes
	}
	data := s.o.AddOnData()
	for _, a := range apps {
		use.Apps = append(use.Apps, renga.AppDiskUse{
			App: a.ID, Name: a.Name, Content: content[a.Name], Logs: s.folders.logs[a.ID], Outputs: s.folders.outputs[a.ID],
			AddOns: data[a.ID], Backups: backups[a.ID], Quota: s.quota(a),
		})
	}
	s.last = use
	return nil
}

// folderSizes are what folders took up at a time.
type folderSizes struct {
	at            time.Time
	logs, outputs map[renga.AppID]int64
	redis, audit  int64
}

func (f Folders) measure(ctx context.Context, now time.Time) (folderSizes, error) {
	got := folderSizes{at: now}
	var err error
	if got.logs, err = sizesByApp(ctx, f.Logs); err != nil {
		return got, err
	}
	if got.outputs, err = sizesByApp(ctx, f.Outputs); err != nil {
		return got, err
	}
	if got.redis, err = treeBytes(ctx, f.Redis); err != nil {
		return got, err
	}
	for _, pattern := range f.Audit {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return got, err
		}
		for _, file := range files {
			n, err := treeBytes(ctx, file)
			if err != nil {
				return got, err
			}
			got.audit += n
		}
	}
	return got, nil
}

func sizesByApp(ctx context.Context, dir string) (map[renga.AppID]int64, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	sizes := map[renga.AppID]int64{}
	for _, e := range entries {
		n, err := treeBytes(ctx, filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		sizes[renga.AppID(e.Name())] = n
	}
	return sizes, err
}

// treeBytes is the size of all files below a path. What goes meanwhile has none.
func treeBytes(ctx context.Context, path string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				sum += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return errors.Join(err, ctx.Err())
	})
	return sum, err
}

func sumOf(sizes map[renga.AppID]int64) int64 {
	var sum int64
	for _, n := range sizes {
		sum += n
	}
	return sum
}
