package main

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/custom"
	"github.com/blevesearch/bleve/v2/analysis/token/lowercase"
	"github.com/blevesearch/bleve/v2/analysis/tokenizer/unicode"
	"github.com/blevesearch/bleve/v2/mapping"
)

// indexes are bleve's, one folder each. What was indexed is kept beside the terms.
type indexes struct {
	dir string

	mu  sync.Mutex
	all map[string]bleve.Index
}

var (
	errNoIndex  = errors.New("no such index")
	errBadName  = errors.New("must be lowercase, and begin with a letter, a digit or a dot")
	errIsThere  = errors.New("already exists")
	indexName   = regexp.MustCompile(`^[.a-z0-9][-._a-z0-9]*$`)
	sourceField = "source/"
)

func openIndexes(dir string) (*indexes, error) {
	x := &indexes{dir: dir, all: map[string]bleve.Index{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if x.all[entry.Name()], err = bleve.Open(filepath.Join(dir, entry.Name())); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func (x *indexes) names() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Sorted(maps.Keys(x.all))
}

func (x *indexes) find(name string) (bleve.Index, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if found := x.all[name]; found != nil {
		return found, nil
	}
	return nil, errNoIndex
}

func (x *indexes) create(name string) (bleve.Index, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !indexName.MatchString(name) || name == "." || name == ".." {
		return nil, errBadName
	}
	if found := x.all[name]; found != nil {
		return found, errIsThere
	}
	words, err := mapped()
	if err != nil {
		return nil, err
	}
	made, err := bleve.New(filepath.Join(x.dir, name), words)
	if err == nil {
		x.all[name] = made
	}
	return made, err
}

// mapped makes words of texts as Elasticsearch does by default, which knows no words that do not count.
func mapped() (mapping.IndexMapping, error) {
	m := bleve.NewIndexMapping()
	m.DefaultAnalyzer = "words"
	return m, m.AddCustomAnalyzer("words", map[string]any{
		"type": custom.Name, "tokenizer": unicode.Name, "token_filters": []string{lowercase.Name},
	})
}

func (x *indexes) remove(name string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	found := x.all[name]
	if found == nil {
		return errNoIndex
	}
	delete(x.all, name)
	return errors.Join(found.Close(), os.RemoveAll(filepath.Join(x.dir, name)))
}

func (x *indexes) close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	var all error
	for _, one := range x.all {
		all = errors.Join(all, one.Close())
	}
	return all
}

// put indexes a document; it makes the index if there is none.
func (x *indexes) put(index, id string, source json.RawMessage) error {
	var fields map[string]any
	if err := json.Unmarshal(source, &fields); err != nil {
		return err
	}
	into, err := x.create(index)
	if err != nil && !errors.Is(err, errIsThere) {
		return err
	}
	batch := into.NewBatch()
	if err := batch.Index(id, fields); err != nil {
		return err
	}
	batch.SetInternal([]byte(sourceField+id), source)
	return into.Batch(batch)
}

// get is what was indexed; nothing when there is none.
func (x *indexes) get(index, id string) (json.RawMessage, error) {
	from, err := x.find(index)
	if err != nil {
		return nil, err
	}
	return from.GetInternal([]byte(sourceField + id))
}

func (x *indexes) delete(index, id string) error {
	from, err := x.find(index)
	if err != nil {
		return err
	}
	batch := from.NewBatch()
	batch.Delete(id)
	batch.DeleteInternal([]byte(sourceField + id))
	return from.Batch(batch)
}
