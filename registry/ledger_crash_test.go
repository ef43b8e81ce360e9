package registry_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"renga"
	"renga/registry"
)

// dyingLedgerDisk does what it is told for so many steps, and nothing after.
type dyingLedgerDisk struct {
	registry.LedgerFiles
	mu    sync.Mutex
	left  int
	err   error
	torn  bool // the step that fails is half done
	tried int
}

func (d *dyingLedgerDisk) step() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tried++
	if d.left--; d.left < 0 {
		return d.err
	}
	return nil
}

func (d *dyingLedgerDisk) Mkdir(path string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.LedgerFiles.Mkdir(path)
}

func (d *dyingLedgerDisk) Create(path string, content []byte) error {
	if err := d.step(); err != nil {
		if d.torn {
			return errors.Join(err, os.WriteFile(path, content[:len(content)/2], 0o666))
		}
		return err
	}
	return d.LedgerFiles.Create(path, content)
}

func (d *dyingLedgerDisk) Rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.LedgerFiles.Rename(from, to)
}

func (d *dyingLedgerDisk) SyncDir(path string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.LedgerFiles.SyncDir(path)
}

func (d *dyingLedgerDisk) Remove(path string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.LedgerFiles.Remove(path)
}

// steps counts what Put of r does to the disk.
func (w *ledgerFixture) steps(r renga.Release) int {
	w.t.Helper()
	disk := &dyingLedgerDisk{LedgerFiles: registry.LedgerDisk, left: 1 << 30}
	registry.SetLedgerFiles(w.Ledger, disk)
	defer registry.SetLedgerFiles(w.Ledger, registry.LedgerDisk)
	w.put(r)
	return disk.tried
}

func TestDyingAtAnyStepOfPutLeavesAChainThatGoesOn(t *testing.T) {
	w := newLedgerFixture(t)
	images := map[renga.ProcessType]renga.Image{"web": w.push("shop/web", 2)}
	steps := w.steps(w.release(2, w.chain(1, nil)[1], images))
	if steps < 40 {
		t.Fatalf("only %d steps", steps)
	}
	died := 0
	for n := range steps {
		if err := w.Remove(context.Background(), "shop"); err != nil {
			t.Fatal(err)
		}
		if w.dieAfter(n, w.release(2, w.chain(1, nil)[1], images)) {
			died++
		}
	}
	if died < steps*3/4 { // later ones make fewer directories
		t.Errorf("died %d times in %d tries", died, steps)
	}
}

// dieAfter puts r, the second version, on a disk that dies after n steps, looks at
// what is left, and puts it again. It tells whether the first Put died.
func (w *ledgerFixture) dieAfter(n int, r renga.Release) bool {
	w.t.Helper()
	errDead := errors.New("dead")
	registry.SetLedgerFiles(w.Ledger, &dyingLedgerDisk{
		LedgerFiles: registry.LedgerDisk, left: n, err: errDead, torn: n%2 == 0,
	})
	_, died := w.Put(context.Background(), r)
	registry.SetLedgerFiles(w.Ledger, registry.LedgerDisk)
	if died != nil && !errors.Is(died, errDead) {
		w.t.Fatalf("step %d: %v", n, died)
	}
	// The release is there whole, or not at all; the one before it is.
	chain, err := w.Chain(context.Background(), "shop")
	if err != nil || len(chain) < 1 || died == nil && len(chain) < 2 {
		w.t.Fatalf("died at step %d: %d versions, %v", n, len(chain), err)
	}
	if good, err := w.Verify(context.Background(), "shop"); good != len(chain) || err != nil {
		w.t.Fatalf("died at step %d: verified %d of %d, %v", n, good, len(chain), err)
	}
	w.put(r)
	w.versions(2)
	if good, err := w.Verify(context.Background(), "shop"); good != 2 || err != nil {
		w.t.Fatalf("after step %d: verified %d, %v", n, good, err)
	}
	return died != nil
}

func TestAFullDiskIsSaidAndHarmsNothing(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(2, nil)
	before := len(w.files(func(string) bool { return true }))
	registry.SetLedgerFiles(w.Ledger, fullLedgerDisk{registry.LedgerDisk})
	_, err := w.Put(context.Background(), w.release(3, digests[2], nil))
	registry.SetLedgerFiles(w.Ledger, registry.LedgerDisk)
	if renga.KindOf(err) != renga.NoSpace || !strings.Contains(renga.MessageOf(err, ""), "The disk is full") {
		t.Errorf("got %v", err)
	}
	if after := len(w.files(func(string) bool { return true })); after != before {
		t.Errorf("%d files, %d before", after, before)
	}
	w.put(w.release(3, digests[2], nil))
	w.versions(3)
}

// fullLedgerDisk has room for directories only.
type fullLedgerDisk struct{ registry.LedgerFiles }

func (fullLedgerDisk) Create(path string, content []byte) error {
	if err := os.WriteFile(path, content[:1], 0o666); err != nil {
		return err
	}
	return &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
}

func TestACancelledPutWritesNothing(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(1, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.Put(ctx, w.release(2, digests[1], nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	w.versions(1)
}

// The machine loses power: names of the last moments may be gone, but a link is
// never empty, for contents were synced before they got their names. A link
// that is empty all the same, from elsewhere, is written again.
func TestPutMendsLinksThatHoldNoDigest(t *testing.T) {
	w := newLedgerFixture(t)
	images := map[renga.ProcessType]renga.Image{"web": w.push("shop/web", 2)}
	digests := w.chain(2, images)
	links := w.files(func(path string) bool {
		return strings.Contains(path, "shop/releases/_layers/") ||
			strings.Contains(path, "shop/releases/_manifests/revisions/sha256/"+images["web"].Digest[7:])
	})
	if len(links) < 5 {
		t.Fatal(links)
	}
	old := w.parts(digests[2]).sealed[7:]
	for _, link := range links {
		if !strings.Contains(link, old) {
			w.write(link, nil)
		}
	}
	w.put(w.release(3, digests[2], images))
	w.versions(3)
	for _, link := range links {
		if got := w.read(link); len(got) == 0 && !strings.Contains(link, w.parts(digests[1]).sealed[7:]) {
			t.Errorf("%s is still empty", link)
		}
	}
}

func FuzzLedgerDocument(f *testing.F) {
	whole, err := registry.MarshalLedgerDocument(renga.Release{
		App: ledgerShop.ID, AppName: "shop", Version: 2, Previous: "sha256:" + strings.Repeat("0", 64),
		Inputs: renga.Inputs{
			Vars: renga.Vars{"A": "b"}, Images: map[renga.ProcessType]renga.Image{"web": {Command: []string{"x"}}},
		},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	for _, seed := range []string{
		"", "{}", "null", `{"format":2}`, `{"format":1,"more":1}`, `{"format":1}{}`, `{"format":1,"vars":{"A":null}}`,
		`{"format":1,"created_at":"x"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := registry.ParseLedgerDocument(content)
		if err != nil {
			return
		}
		again, err := registry.MarshalLedgerDocument(r)
		if err != nil {
			return // larger than may be written, or a time past year 9999
		}
		back, err := registry.ParseLedgerDocument(again)
		if err != nil || !back.Inputs.Equal(r.Inputs) || back.Version != r.Version || !back.CreatedAt.Equal(r.CreatedAt) {
			t.Errorf("%q became %q: %v", content, again, err)
		}
	})
}

func FuzzLedgerIndex(f *testing.F) {
	zero := "sha256:" + strings.Repeat("0", 64)
	artifact := `{"artifactType":"application/vnd.renga.release.v1","digest":"` + zero +
		`","size":1,"platform":{"os":"unknown","architecture":"unknown"}}`
	notes := `"annotations":{"renga.app.id":"a","renga.version":"2","renga.previous":"` + zero +
		`","org.opencontainers.image.created":"2026-01-02T03:04:05.6Z"}`
	image := `{"digest":"` + zero + `","annotations":{"renga.process-type":"web"}}`
	for _, manifests := range []string{"", artifact, image, image + "," + artifact, image + "," + image + "," + artifact} {
		f.Add(fmt.Appendf(nil,
			`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s],%s}`, manifests, notes))
	}
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, content []byte) {
		once, err := registry.RewriteLedgerIndex(content)
		if err != nil {
			return
		}
		if twice, err := registry.RewriteLedgerIndex(once); err != nil || string(once) != string(twice) {
			t.Errorf("%q became %q, then %q: %v", content, once, twice, err)
		}
	})
}
