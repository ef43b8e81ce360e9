package seal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"renga"
	"renga/seal"
)

const secret = "marker-5f1c"

func open(t *testing.T, path string) *seal.Keyset {
	t.Helper()
	k, err := seal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mustSeal(t *testing.T, k *seal.Keyset, associated string) []byte {
	t.Helper()
	sealed, err := k.Seal([]byte(secret), []byte(associated))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func mustOpen(t *testing.T, k *seal.Keyset, sealed []byte, associated string) {
	t.Helper()
	plain, err := k.Open(sealed, []byte(associated))
	if err != nil || string(plain) != secret {
		t.Fatalf("opened %q, %v; want %q", plain, err, secret)
	}
}

func TestOpenMakesOneKeyThatLasts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "seal.json")
	sealed := mustSeal(t, open(t, path), "app 1")
	if bytes.Contains(sealed, []byte(secret)) {
		t.Error("the sealed bytes hold the secret")
	}
	mustOpen(t, open(t, path), sealed, "app 1")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files beside the key, %v; want 1", len(entries), err)
	}
}

func TestConcurrentOpensAgreeOnOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.json")
	sets := make([]*seal.Keyset, 8)
	var wg sync.WaitGroup
	for i := range sets {
		wg.Go(func() { sets[i], _ = seal.Open(path) })
	}
	wg.Wait()
	for i, k := range sets {
		if k == nil {
			t.Fatalf("keyset %d did not open", i)
		}
		mustOpen(t, sets[0], mustSeal(t, k, "x"), "x")
	}
}

func TestOpenRefusesAKeyFileThatOthersCanRead(t *testing.T) {
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660} {
		path := filepath.Join(t.TempDir(), "seal.json")
		open(t, path)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := seal.Open(path)
		if renga.KindOf(err) != renga.Invalid || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func TestOpenRefusesADamagedKeyFileWithoutQuotingIt(t *testing.T) {
	for _, content := range []string{"", "{", `{"primaryKeyId":1,"key":[{"` + secret + `":1}]}`, secret} {
		path := filepath.Join(t.TempDir(), "seal.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := seal.Open(path)
		if renga.KindOf(err) != renga.Invalid || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", content, err)
		}
		if after, _ := os.ReadFile(path); string(after) != content {
			t.Errorf("%q was replaced", content)
		}
	}
}

func TestEveryFlippedByteIsFoundOut(t *testing.T) {
	k := open(t, filepath.Join(t.TempDir(), "seal.json"))
	sealed := mustSeal(t, k, "app 1")
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 1
		if plain, err := k.Open(altered, []byte("app 1")); err == nil || plain != nil {
			t.Errorf("byte %d flipped: opened as %q", i, plain)
		}
	}
	for n := range sealed {
		if _, err := k.Open(sealed[:n], []byte("app 1")); renga.KindOf(err) != renga.Internal {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

func TestOpenNeedsTheSameAssociatedData(t *testing.T) {
	k := open(t, filepath.Join(t.TempDir(), "seal.json"))
	_, err := k.Open(mustSeal(t, k, "app 1"), []byte("app 2"))
	if renga.KindOf(err) != renga.Internal || !strings.Contains(err.Error(), "belongs elsewhere") {
		t.Errorf("got %v", err)
	}
}

func TestOpenSaysWhenTheKeyIsMissing(t *testing.T) {
	mine := open(t, filepath.Join(t.TempDir(), "seal.json"))
	other := open(t, filepath.Join(t.TempDir(), "seal.json"))
	_, err := mine.Open(mustSeal(t, other, "x"), []byte("x"))
	if err == nil || !strings.Contains(err.Error(), "not in the keyset file") {
		t.Errorf("got %v", err)
	}
}

func TestRotateKeepsOldKeysAndSealsWithTheNewOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.json")
	k := open(t, path)
	backup, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before := mustSeal(t, k, "x")
	if err := k.Rotate(); err != nil {
		t.Fatal(err)
	}
	after := mustSeal(t, k, "x")
	for _, set := range []*seal.Keyset{k, open(t, path)} {
		mustOpen(t, set, before, "x")
		mustOpen(t, set, after, "x")
	}
	old := filepath.Join(t.TempDir(), "seal.json")
	if err := os.WriteFile(old, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, old).Open(after, []byte("x")); err == nil {
		t.Error("the old keys open what was sealed after the rotation")
	}
}

func TestRotateKeepsKeysThatAnotherProcessAdded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.json")
	one, two := open(t, path), open(t, path)
	if err := two.Rotate(); err != nil {
		t.Fatal(err)
	}
	sealed := mustSeal(t, two, "x")
	if err := one.Rotate(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, one, sealed, "x")
}

func TestRotateNeverStartsANewFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.json")
	k := open(t, path)
	sealed := mustSeal(t, k, "x")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := k.Rotate(); err == nil {
		t.Error("rotated without the old keys")
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a file was made: %v", err)
	}
	mustOpen(t, k, sealed, "x")
}

func TestSealAndOpenGoOnDuringRotations(t *testing.T) {
	k := open(t, filepath.Join(t.TempDir(), "seal.json"))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				sealed, err := k.Seal([]byte(secret), nil)
				if err != nil {
					t.Error(err)
				}
				if _, err := k.Open(sealed, nil); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			if err := k.Rotate(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
