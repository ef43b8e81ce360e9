package services

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// recipe is how one image is made.
type recipe struct {
	tag string
	dir string // its folder in images
	// suite is the release of Debian that a base is made of; other images have a base.
	suite string
	base  string            // the tag of the image below; none for one that is made from nothing
	args  map[string]string // of the Dockerfile
	// programs are compiled before, by the module in the folder: name in the build context → package.
	programs map[string]string
	tags     string // of these programs
	// host are files of this machine that the image has, too: name in the build context → path.
	host map[string]string
}

// find is the recipe of that image.
func (k *kitchen) find(tag string) (recipe, error) {
	i := slices.IndexFunc(k.recipes, func(r recipe) bool { return r.tag == tag })
	if i < 0 {
		return recipe{}, fmt.Errorf("there is no recipe for %s; there are %s", tag, strings.Join(Names(), ", "))
	}
	return k.recipes[i], nil
}

// hash is of all that the image is made of: the files of its folder, its arguments, and the recipe of its base.
func (k *kitchen) hash(r recipe) (string, error) {
	h := sha256.New()
	put := func(parts ...string) {
		for _, part := range parts {
			fmt.Fprintf(h, "%d:%s", len(part), part)
		}
	}
	put(r.tag, r.suite, r.base, r.tags)
	for _, settings := range []map[string]string{r.args, r.programs} {
		for _, name := range slices.Sorted(maps.Keys(settings)) {
			put(name, settings[name])
		}
	}
	files, err := k.files(r)
	if err != nil {
		return "", err
	}
	for _, f := range files {
		put(f.name, f.mode.String(), string(f.content))
	}
	if r.base != "" {
		below, err := k.find(r.base)
		if err != nil {
			return "", err
		}
		hash, err := k.hash(below)
		if err != nil {
			return "", err
		}
		put(hash)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// files are those of the recipe's folder and those of this machine.
func (k *kitchen) files(r recipe) ([]file, error) {
	files, err := readFiles(filepath.Join(k.images, r.dir))
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(r.host)) {
		content, err := os.ReadFile(r.host[name])
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, 0o644, content})
	}
	return files, nil
}

// file is one of the build context.
type file struct {
	name    string // slash-separated
	mode    fs.FileMode
	content []byte
}

// readFiles reads all files of a folder, by name. Of their modes only that they may be executed counts: the rest is
// the umask's.
func readFiles(dir string) ([]file, error) {
	var files []file
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		files = append(files, file{filepath.ToSlash(name), 0o644 | info.Mode()&0o111, content})
		return err
	})
	return files, err
}
