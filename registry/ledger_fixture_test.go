package registry_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/registry"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// ledgerShop is the app of these tests.
var ledgerShop = renga.App{ID: "7c0b3a36-8d6f-4f3b-9a0e-2f8a1f6a5b11", Name: "shop"}

const ledgerSecret = "marker-secret-9b1d"

// ledgerKeys is a sealer with rotation: AES-GCM, the key's number first.
type ledgerKeys []cipher.AEAD

func (k *ledgerKeys) rotate(t testing.TB) {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	*k = append(*k, sealer)
}

func (k *ledgerKeys) Seal(plain, associated []byte) ([]byte, error) {
	id := len(*k) - 1
	return (*k)[id].Seal([]byte{byte(id)}, nil, plain, associated), nil
}

func (k *ledgerKeys) Open(sealed, associated []byte) ([]byte, error) {
	if len(sealed) == 0 || int(sealed[0]) >= len(*k) {
		return nil, errors.New("no such key")
	}
	return (*k)[sealed[0]].Open(nil, nil, sealed[1:], associated)
}

// ledgerFixture is a ledger and a bare registry over the same directory.
type ledgerFixture struct {
	*registry.Ledger
	t    testing.TB
	dir  string
	host string
	keys *ledgerKeys
}

func newLedgerFixture(t testing.TB) *ledgerFixture {
	t.Helper()
	dir := t.TempDir()
	settings := &configuration.Configuration{Storage: configuration.Storage{
		"filesystem":  configuration.Parameters{"rootdirectory": dir},
		"delete":      configuration.Parameters{"enabled": true},
		"maintenance": configuration.Parameters{"uploadpurging": map[any]any{"enabled": false}},
	}}
	settings.HTTP.RelativeURLs, settings.HTTP.Secret = true, "test"
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	server := httptest.NewServer(handlers.NewApp(ctx, settings))
	t.Cleanup(server.Close)
	keys := &ledgerKeys{}
	keys.rotate(t)
	ledger, err := registry.OpenLedger(dir, keys)
	if err != nil {
		t.Fatal(err)
	}
	return &ledgerFixture{Ledger: ledger, t: t, dir: dir, host: strings.TrimPrefix(server.URL, "http://"), keys: keys}
}

// push pushes a random image with n layers and says of it what a push says.
func (w *ledgerFixture) push(repository string, n int64) renga.Image {
	w.t.Helper()
	image, err := random.Image(1000, n)
	if err != nil {
		w.t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		w.t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", "amd64"
	if image, err = mutate.ConfigFile(image, file); err != nil {
		w.t.Fatal(err)
	}
	return w.pushImage(repository, image)
}

func (w *ledgerFixture) pushImage(repository string, image v1.Image) renga.Image {
	w.t.Helper()
	if err := remote.Write(w.ref(repository+":latest"), image); err != nil {
		w.t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		w.t.Fatal(err)
	}
	config, err := image.ConfigName()
	if err != nil {
		w.t.Fatal(err)
	}
	return renga.Image{
		Repository: repository, Digest: digest.String(), Pushed: digest.String(), Config: config.String(),
		Command: []string{"/bin/" + repository, "--flag", ""}, Size: 3000,
	}
}

// pushOCI is push with OCI's media types instead of Docker's.
func (w *ledgerFixture) pushOCI(repository string, n int64) renga.Image {
	w.t.Helper()
	image, err := random.Image(1000, n)
	if err != nil {
		w.t.Fatal(err)
	}
	image = mutate.ConfigMediaType(mutate.MediaType(image, types.OCIManifestSchema1), types.OCIConfigJSON)
	return w.pushImage(repository, image)
}

func (w *ledgerFixture) ref(s string) name.Reference {
	w.t.Helper()
	ref, err := name.ParseReference(w.host+"/"+s, name.Insecure)
	if err != nil {
		w.t.Fatal(err)
	}
	return ref
}

// release is version n of the shop, after the version of digest previous.
func (w *ledgerFixture) release(n int, previous string, images map[renga.ProcessType]renga.Image) renga.Release {
	return renga.Release{
		App: ledgerShop.ID, AppName: ledgerShop.Name, Version: n, Previous: previous,
		Inputs: renga.Inputs{
			Images: images,
			Vars:   renga.Vars{"SECRET": ledgerSecret, "EMPTY": "", "TEXT": "<a> & \"b\"\n\u2028ü", "N": fmt.Sprint(n)},
			Credentials: map[renga.AddOnID]renga.Credentials{
				"addon-1": {Plan: "heroku-postgresql:essential-0", Version: 3, Vars: renga.Vars{"DATABASE_URL": "postgres://" + ledgerSecret}},
				"addon-2": {Plan: "renga-disk:basic", Version: 1, Vars: renga.Vars{"DISK_PATH": "/data"}, Mounts: []renga.Mount{
					{Volume: "renga-disk-addon-2", Path: "/data", Types: []renga.ProcessType{"web", "worker"}, Shared: true},
				}},
			},
		},
		Description: "Deploy 0123456789ab", By: "account-1", PushID: fmt.Sprintf("push-%d", n),
		CreatedAt: time.Date(2026, 11, 22, 3, 4, 5, 123456789+n, time.FixedZone("X", 3600)),
	}
}

func (w *ledgerFixture) put(r renga.Release) string {
	w.t.Helper()
	digest, err := w.Put(context.Background(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return digest
}

func (w *ledgerFixture) get(digest string) renga.Release {
	w.t.Helper()
	r, err := w.Get(context.Background(), ledgerShop, digest)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// chain writes n versions, the first without images, and gives their digests
// counted from 1.
func (w *ledgerFixture) chain(n int, images map[renga.ProcessType]renga.Image) []string {
	w.t.Helper()
	digests := []string{""}
	for v := 1; v <= n; v++ {
		with := images
		if v == 1 {
			with = nil
		}
		digests = append(digests, w.put(w.release(v, digests[v-1], with)))
	}
	return digests
}

// versions reads the chain and wants versions 1 to n.
func (w *ledgerFixture) versions(n int) {
	w.t.Helper()
	chain, err := w.Chain(context.Background(), ledgerShop.Name)
	if err != nil || len(chain) != n {
		w.t.Fatalf("the chain has %d versions, %v; want %d", len(chain), err, n)
	}
	for i, r := range chain {
		if r.Version != i+1 {
			w.t.Errorf("version %d is %s", i+1, r.Name())
		}
	}
}

// blobFile is where a blob lies.
func (w *ledgerFixture) blobFile(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return filepath.Join(w.dir, "docker/registry/v2/blobs/sha256", hex[:2], hex, "data")
}

// tagFile is the link of one of the shop's tags.
func (w *ledgerFixture) tagFile(tag string) string {
	return filepath.Join(w.dir, "docker/registry/v2/repositories/shop/releases/_manifests/tags", tag, "current/link")
}

func (w *ledgerFixture) read(path string) []byte {
	w.t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return content
}

func (w *ledgerFixture) write(path string, content []byte) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o666); err != nil {
		w.t.Fatal(err)
	}
}

func (w *ledgerFixture) remove(path string) {
	w.t.Helper()
	if err := os.RemoveAll(path); err != nil {
		w.t.Fatal(err)
	}
}

// files gives the paths below the directory, as far as keep wants them.
func (w *ledgerFixture) files(keep func(path string) bool) []string {
	w.t.Helper()
	var found []string
	err := filepath.WalkDir(w.dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && keep(path) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

func (w *ledgerFixture) blobFiles() int {
	return len(w.files(func(path string) bool { return filepath.Base(path) == "data" }))
}
