package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"renga"
)

// usage knows how many bytes of content each app has, without walking the disk for
// each question. Of an app that is asked for, the links are listed once; from then on
// each link that is written is noted, and what an upload has received. When links
// were removed the app is listed again at the next question; sizes are remembered.
type usage struct {
	root string
	list sync.Mutex // held while an app is listed

	mu      sync.Mutex // guards the rest
	content map[contentKey]contentSize
	apps    map[string]*appUsage
	listing string       // the app that is being listed
	noted   []contentKey // of that app meanwhile
}

// contentKey is a digest; a hundred thousand of them take few megabytes.
type contentKey [sha256.Size]byte

type contentSize struct {
	bytes int64
	apps  int32 // that have it
}

type appUsage struct {
	has       map[contentKey]struct{}
	bytes     int64 // of what it has
	removals  int64 // so far
	listed    int64 // removals that the last listing knew of; -1 before the first
	uploads   map[string]int64
	uploading int64 // sum of uploads
}

func newUsage(root string) *usage {
	return &usage{root: root, content: map[contentKey]contentSize{}, apps: map[string]*appUsage{}}
}

// note adds what a file in the storage says when it was written: a link of an app to
// content. Other files say nothing.
func (u *usage) note(path string) {
	app, key, ok := linkOf(path)
	if !ok {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if a := u.apps[app]; a != nil {
		u.add(a, key)
	}
	if u.listing == app {
		u.noted = append(u.noted, key)
	}
}

// forget says that links of an app may have been removed.
func (u *usage) forget(app string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if a := u.apps[app]; a != nil {
		a.removals++
	}
}

// received notes how much an upload's data file holds now.
func (u *usage) received(path string, size int64) {
	app, upload, ok := uploadOf(path)
	if !ok {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if a := u.apps[app]; a != nil {
		a.uploading += size - a.uploads[upload]
		a.uploads[upload] = size
	}
}

// removed notes what was removed or renamed: an upload, a link, a whole repository.
func (u *usage) removed(path string) {
	if app, upload, ok := uploadOf(path); ok {
		u.mu.Lock()
		defer u.mu.Unlock()
		if a := u.apps[app]; a != nil {
			a.uploading -= a.uploads[upload]
			delete(a.uploads, upload)
		}
		return
	}
	if app, _, ok := insideApp(path); ok {
		u.forget(app)
	}
}

// of is how many bytes an app has: of content and of uploads.
func (u *usage) of(app string) (content, uploads int64, err error) {
	if err := u.refresh(app); err != nil {
		return 0, 0, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.apps[app]
	if a == nil {
		return 0, 0, nil
	}
	return a.bytes, a.uploading, nil
}

// growth is by how much an app grows at once that begins an upload, or that is given a
// blob of another repository: its size, unless the app has it in any of its own.
func (u *usage) growth(app, mounted string) int64 {
	digits, ok := storedHex(mounted)
	key, _ := keyOf(digits)
	if !ok {
		return 1 // there is no upload of nothing
	}
	_ = u.refresh(app) // what cannot be read counts as new
	u.mu.Lock()
	if a := u.apps[app]; a != nil {
		if _, has := a.has[key]; has {
			u.mu.Unlock()
			return 0
		}
	}
	u.mu.Unlock()
	info, err := os.Stat(filepath.Join(u.root, blobData(digits)))
	if err != nil {
		return 1
	}
	return info.Size()
}

// all is what each app has, and the sum of all content.
func (u *usage) all(ctx context.Context) (map[string]renga.ContentUse, int64, error) {
	directories, err := names(filepath.Join(u.root, storageRoot, "repositories"))
	if err != nil {
		return nil, 0, err
	}
	u.mu.Lock()
	directories = slices.AppendSeq(directories, maps.Keys(u.apps)) // some are gone
	u.mu.Unlock()
	for _, app := range directories {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		if err := u.refresh(app); err != nil {
			return nil, 0, err
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	uses := map[string]renga.ContentUse{}
	for name, a := range u.apps {
		one := renga.ContentUse{Uploads: a.uploading}
		for key := range a.has {
			if c := u.content[key]; c.apps > 1 {
				one.Shared += c.bytes
			} else {
				one.Alone += c.bytes
			}
		}
		uses[name] = one
	}
	var sum int64
	for _, c := range u.content {
		sum += c.bytes
	}
	return uses, sum, nil
}

// refresh lists an app if that was never done, or links of it were removed since.
func (u *usage) refresh(app string) error {
	u.list.Lock()
	defer u.list.Unlock()
	u.mu.Lock()
	a := u.apps[app]
	if a != nil && a.removals == a.listed {
		u.mu.Unlock()
		return nil
	}
	next := &appUsage{has: map[contentKey]struct{}{}, uploads: map[string]int64{}}
	if a != nil {
		next.removals, next.listed = a.removals, a.removals
	}
	u.listing, u.noted = app, nil
	u.mu.Unlock()
	keys, uploads, err := u.read(app)
	u.mu.Lock()
	defer u.mu.Unlock()
	keys = append(keys, u.noted...)
	u.listing, u.noted = "", nil
	if err != nil {
		return fmt.Errorf("list what app %s has: %w", app, err)
	}
	for _, key := range keys {
		u.add(next, key)
	}
	next.uploads = uploads
	for _, size := range uploads {
		next.uploading += size
	}
	if a = u.apps[app]; a != nil {
		next.removals = a.removals
		u.drop(a)
	}
	if u.apps[app] = next; len(keys) == 0 && len(uploads) == 0 {
		delete(u.apps, app) // whoever asks for names that no app has leaves nothing behind
	}
	return nil
}

// read lists an app's links and uploads.
func (u *usage) read(app string) (keys []contentKey, uploads map[string]int64, err error) {
	uploads = map[string]int64{}
	if info, err := os.Lstat(u.appDir(app)); err == nil && !info.IsDir() {
		return nil, uploads, nil // the other name of an app that is being renamed
	}
	parts, err := names(u.appDir(app))
	if err != nil {
		return nil, uploads, err
	}
	for _, part := range parts {
		for _, kind := range []string{"_layers/sha256", "_manifests/revisions/sha256"} {
			all, err := names(filepath.Join(u.appDir(app), part, kind))
			if err != nil {
				return nil, uploads, err
			}
			for _, name := range all {
				if key, ok := keyOf(name); ok {
					keys = append(keys, key)
				}
			}
		}
		under, err := names(filepath.Join(u.appDir(app), part, "_uploads"))
		if err != nil {
			return nil, uploads, err
		}
		for _, id := range under {
			uploads[part+"/"+id] = 0
			if info, err := os.Stat(filepath.Join(u.appDir(app), part, "_uploads", id, "data")); err == nil {
				uploads[part+"/"+id] = info.Size()
			}
		}
	}
	return keys, uploads, nil
}

func (u *usage) appDir(app string) string { return filepath.Join(u.root, repositoryDir(app)) }

// add notes that an app has content. Its size is looked up the first time that any app
// has it; what is not there takes nothing.
func (u *usage) add(a *appUsage, key contentKey) {
	if _, known := a.has[key]; known {
		return
	}
	c, known := u.content[key]
	if !known {
		info, err := os.Stat(filepath.Join(u.root, blobData(hex.EncodeToString(key[:]))))
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err == nil {
			c.bytes = info.Size()
		}
	}
	c.apps++
	u.content[key] = c
	a.has[key] = struct{}{}
	a.bytes += c.bytes
}

// drop takes an app's share out of the counts.
func (u *usage) drop(a *appUsage) {
	for key := range a.has {
		c := u.content[key]
		if c.apps--; c.apps > 0 {
			u.content[key] = c
		} else {
			delete(u.content, key)
		}
	}
}

// insideApp cuts a path of the storage into an app's name and the rest.
func insideApp(path string) (app, rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, repositoryDir(""))
	if !ok {
		return "", "", false
	}
	app, rest, _ = strings.Cut(rest, "/")
	return app, rest, app != ""
}

// linkOf is which content a link leads to, and whose it is: the paths of
// "_layers/sha256/<digits>/link" and "_manifests/revisions/sha256/<digits>/link".
func linkOf(path string) (app string, key contentKey, ok bool) {
	path, ok = strings.CutSuffix(path, "/link")
	if !ok {
		return "", key, false
	}
	app, rest, ok := insideApp(path)
	if !ok || !strings.Contains(rest, "/_layers/sha256/") && !strings.Contains(rest, "/_manifests/revisions/sha256/") {
		return "", key, false
	}
	key, ok = keyOf(filepath.Base(rest))
	return app, key, ok
}

// uploadOf is which upload a path of the storage is, or is of.
func uploadOf(path string) (app, upload string, ok bool) {
	app, rest, ok := insideApp(path)
	process, rest, found := strings.Cut(rest, uploadsDir)
	id, _, _ := strings.Cut(rest, "/")
	return app, process + "/" + id, ok && found && id != ""
}

func keyOf(digits string) (key contentKey, ok bool) {
	if !validHex(digits) {
		return key, false
	}
	_, err := hex.Decode(key[:], []byte(digits))
	return key, err == nil
}
