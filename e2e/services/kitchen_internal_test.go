package services

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnImageOfSomebodyElseIsNotReplaced(t *testing.T) {
	tag := "renga-test-foreign:" + filepath.Base(t.TempDir()) + strings.ToLower(t.Name())
	file := filepath.Join(t.TempDir(), "empty.tar")
	check(t, os.WriteFile(file, make([]byte, 1024), 0o600)) // the end of an archive
	id, err := run(t.Context(), nil, "docker", "import", file, tag)
	check(t, err)
	defer func() {
		_, err := run(t.Context(), nil, "docker", "image", "rm", tag)
		check(t, err)
	}()

	k, err := newKitchen(t.Context())
	check(t, err)
	k.recipes = append(k.recipes, recipe{tag: tag, dir: "redis"})
	err = k.build(t.Context(), tag)
	if err == nil || !strings.Contains(err.Error(), "was not made by these tests") || !strings.Contains(err.Error(), "docker image rm "+tag) {
		t.Errorf("build over an image without a label: %v; want a sentence that says what to do", err)
	}
	if now, err := look(t.Context(), tag); err != nil || now.id != id {
		t.Errorf("the image is %v, %v; want %s still", now, err, id)
	}
}

func TestTheHashIsOfEverythingAnImageIsMadeOf(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) {
		path := filepath.Join(dir, name)
		check(t, os.MkdirAll(filepath.Dir(path), 0o700))
		check(t, os.WriteFile(path, []byte(content), mode))
		check(t, os.Chmod(path, mode))
	}
	write("base/base.sh", "1", 0o755)
	write("db/Dockerfile", "1", 0o644)
	write("host", "1", 0o644)
	k := &kitchen{images: dir, recipes: []recipe{
		{tag: "base", dir: "base", suite: "a"},
		{tag: "db", dir: "db", base: "base", args: map[string]string{"V": "1"}, host: map[string]string{"ca": filepath.Join(dir, "host")}},
	}}
	seen := map[string]string{}
	look := func(change string) {
		r, err := k.find("db")
		check(t, err)
		hash, err := k.hash(r)
		check(t, err)
		if before, ok := seen[hash]; ok {
			t.Errorf("%s: the hash is that of %q", change, before)
		}
		seen[hash] = change
	}
	look("nothing")
	write("db/Dockerfile", "2", 0o644)
	look("a file's content")
	write("db/Dockerfile", "2", 0o755)
	look("a file's mode")
	write("db/more", "", 0o644)
	look("a further file")
	write("host", "2", 0o644)
	look("a file of this machine")
	k.recipes[1].args["V"] = "2"
	look("an argument")
	write("base/base.sh", "2", 0o755)
	look("a file of the base")
	k.recipes[0].suite = "b"
	look("the suite of the base")
}

func TestAnUnknownNameIsRefused(t *testing.T) {
	_, err := Build(t.Context(), "oracle:23")
	if err == nil || !strings.Contains(err.Error(), "no recipe for oracle:23") || !strings.Contains(err.Error(), Postgres15) {
		t.Errorf("build oracle:23: %v; want an error that names what there is", err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTwoRecipesOfOneNameTakeTurns(t *testing.T) {
	dir := t.TempDir()
	k := &kitchen{images: dir, recipes: []recipe{{tag: "renga-test-turns:" + strings.ToLower(rand.Text()), dir: "."}}}
	tag := k.recipes[0].tag
	made := map[string]image{}
	turn := func(content string) image {
		check(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY Dockerfile /"+content+"\n"), 0o600))
		check(t, k.build(t.Context(), tag))
		now, err := look(t.Context(), tag)
		check(t, err)
		made[now.hash] = now
		return now
	}
	defer func() {
		for hash := range made {
			_, err := run(t.Context(), nil, "docker", "image", "rm", "--force", made[hash].id)
			check(t, err)
		}
	}()

	first := turn("a")
	second := turn("b")
	if first == second || len(made) != 2 {
		t.Fatalf("both recipes make %v", first)
	}
	// Were it made anew, it would have another id: the time is in it.
	if again := turn("a"); again != first {
		t.Errorf("the first recipe's turn has %v; want %v, which was kept", again, first)
	}
}
