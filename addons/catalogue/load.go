package catalogue

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed services
var shipped embed.FS

// maxFiles bounds a directory: each file is kept in memory, whole.
const maxFiles = 200

// Load reads the services that Renga ships, and those of the operator's directory.
// A file there takes the place of the shipped one of the same service, or adds
// one. Without a directory only what is shipped is offered. All mistakes are told
// at once.
func Load(dir string) (*Catalogue, error) {
	files, err := fs.Sub(shipped, "services")
	if err != nil {
		return nil, err
	}
	ours, err := readAll(files, "shipped ")
	if err != nil || dir == "" {
		return newCatalogue(ours, nil), err
	}
	own, err := readDir(dir)
	if err != nil {
		return nil, err
	}
	if err := own.conflicts(ours); err != nil {
		return nil, err
	}
	return newCatalogue(ours, own), nil
}

// Check reads and checks one file.
func Check(name string) (Service, error) {
	root, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return Service{}, err
	}
	defer func() { _ = root.Close() }() // nothing was written
	return read(root.FS(), filepath.Base(name), name)
}

// entries are the services of one source by name, and where each is from.
type entries map[string]entry

type entry struct {
	Service
	file string
}

// readDir reads the operator's directory. A link in it may not lead out of it.
func readDir(dir string) (entries, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("the directory of add-on services: %w: make it, or name another one", err)
	}
	defer func() { _ = root.Close() }() // nothing was written
	return readAll(root.FS(), dir+string(filepath.Separator))
}

// readAll reads all files of a directory that are named as YAML is. Before is put
// before their names in messages.
func readAll(dir fs.FS, before string) (entries, error) {
	names, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, fmt.Errorf("the directory of add-on services: %w", err)
	}
	all := entries{}
	var wrong []error
	for _, name := range names {
		if !isYAML(name.Name()) {
			continue
		}
		if len(all)+len(wrong) == maxFiles {
			return nil, fmt.Errorf("%s has more than %d files of add-on services: remove some", before, maxFiles)
		}
		s, err := read(dir, name.Name(), before+name.Name())
		if other, ok := all[s.Name]; ok && err == nil {
			err = fmt.Errorf("%s:1: there is a service %s already, in %s: remove one of the files",
				before+name.Name(), s.Name, other.file)
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		all[s.Name] = entry{s, before + name.Name()}
	}
	return all, errors.Join(wrong...)
}

func isYAML(name string) bool {
	ending := filepath.Ext(name)
	return (ending == ".yaml" || ending == ".yml") && !strings.HasPrefix(name, ".")
}

// read reads one file. What runs as the platform's add-ons is up to whoever can
// write it: so that must not be everyone.
func read(dir fs.FS, name, shown string) (Service, error) {
	info, err := fs.Lstat(dir, name)
	if err != nil {
		return Service{}, fmt.Errorf("%s: %w", shown, err)
	}
	if !info.Mode().IsRegular() {
		return Service{}, fmt.Errorf("%s:1: it is no regular file: put the file itself here, not a link", shown)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return Service{}, fmt.Errorf("%s:1: everyone may write it: run `chmod o-w` on it", shown)
	}
	f, err := dir.Open(name)
	if err != nil {
		return Service{}, fmt.Errorf("%s: %w", shown, err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Service{}, fmt.Errorf("%s: %w", shown, err)
	}
	return parseFile(shown, content)
}

// conflicts tells which aliases are names or aliases of others, too. Names of the
// operator's win over shipped aliases, but over nothing else.
func (e entries) conflicts(shipped entries) error {
	var wrong []error
	by := map[string]string{}
	for name, one := range shipped {
		if _, own := e[name]; !own {
			by[name] = one.file
		}
	}
	for name, one := range e {
		by[name] = one.file
	}
	for _, name := range slices.Sorted(maps.Keys(e)) {
		for _, alias := range e[name].Aliases {
			if other, taken := by[alias]; taken {
				wrong = append(wrong, fmt.Errorf(
					"%s:1: the alias %s names the service of %s, too: leave it out", e[name].file, alias, other))
			}
			by[alias] = e[name].file
		}
	}
	return errors.Join(wrong...)
}
