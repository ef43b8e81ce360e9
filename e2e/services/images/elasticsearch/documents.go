package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/search/query"
)

func (s *server) createIndex(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("index")
	if _, err := s.indexes.create(name); err != nil {
		tell(w, name, err)
		return
	}
	reply(w, http.StatusOK, object{"acknowledged": true, "shards_acknowledged": true, "index": name})
}

func (s *server) hasIndex(w http.ResponseWriter, r *http.Request) {
	if _, err := s.indexes.find(r.PathValue("index")); err != nil {
		w.WriteHeader(http.StatusNotFound)
	}
}

func (s *server) deleteIndex(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("index")
	if err := s.indexes.remove(name); err != nil {
		tell(w, name, err)
		return
	}
	reply(w, http.StatusOK, object{"acknowledged": true})
}

func (s *server) refresh(w http.ResponseWriter, r *http.Request) {
	if _, err := s.indexes.find(r.PathValue("index")); err != nil {
		tell(w, r.PathValue("index"), err)
		return
	}
	reply(w, http.StatusOK, object{"_shards": object{"total": 1, "successful": 1, "failed": 0}})
}

func (s *server) put(w http.ResponseWriter, r *http.Request) {
	var source json.RawMessage
	if !read(w, r, &source) {
		return
	}
	index, id := r.PathValue("index"), r.PathValue("id")
	if id == "" {
		id = rand.Text()
	}
	before, err := s.indexes.get(index, id)
	if err == nil || errors.Is(err, errNoIndex) {
		err = s.indexes.put(index, id, source)
	}
	if err != nil {
		tell(w, index, err)
		return
	}
	status, result := http.StatusCreated, "created"
	if before != nil {
		status, result = http.StatusOK, "updated"
	}
	reply(w, status, object{"_index": index, "_id": id, "_version": 1, "result": result,
		"_shards": object{"total": 1, "successful": 1, "failed": 0}})
}

func (s *server) get(w http.ResponseWriter, r *http.Request) {
	index, id := r.PathValue("index"), r.PathValue("id")
	source, err := s.indexes.get(index, id)
	switch {
	case err != nil:
		tell(w, index, err)
	case source == nil:
		reply(w, http.StatusNotFound, object{"_index": index, "_id": id, "found": false})
	default:
		reply(w, http.StatusOK, object{"_index": index, "_id": id, "_version": 1, "found": true, "_source": source})
	}
}

func (s *server) delete(w http.ResponseWriter, r *http.Request) {
	index, id := r.PathValue("index"), r.PathValue("id")
	if err := s.indexes.delete(index, id); err != nil {
		tell(w, index, err)
		return
	}
	reply(w, http.StatusOK, object{"_index": index, "_id": id, "result": "deleted"})
}

// searchBody is what is understood of a search: one query, no more than so many hits.
type searchBody struct {
	Query struct {
		Match map[string]any
		Term  map[string]any
	}
	Size *int
}

func (b searchBody) query(r *http.Request) query.Query {
	if text := r.URL.Query().Get("q"); text != "" {
		return bleve.NewQueryStringQuery(text)
	}
	for field, value := range b.Query.Match {
		q := bleve.NewMatchQuery(text(value, "query"))
		q.SetField(field)
		return q
	}
	for field, value := range b.Query.Term {
		q := bleve.NewTermQuery(text(value, "value"))
		q.SetField(strings.TrimSuffix(field, ".keyword"))
		return q
	}
	return bleve.NewMatchAllQuery()
}

// text is a query's text, which may stand alone or in an object.
func text(value any, key string) string {
	if inner, ok := value.(map[string]any); ok {
		value = inner[key]
	}
	s, _ := value.(string)
	return s
}

// find runs the search of a request; it answers the request itself when that cannot be done.
func (s *server) find(w http.ResponseWriter, r *http.Request) (*bleve.SearchResult, bool) {
	var body searchBody
	if r.ContentLength != 0 && !read(w, r, &body) {
		return nil, false
	}
	request := bleve.NewSearchRequest(body.query(r))
	if body.Size != nil {
		request.Size = *body.Size
	}
	in, err := s.indexes.find(r.PathValue("index"))
	if err != nil {
		tell(w, r.PathValue("index"), err)
		return nil, false
	}
	found, err := in.SearchInContext(r.Context(), request)
	if err != nil {
		fail(w, http.StatusBadRequest, "search_phase_execution_exception", err.Error())
		return nil, false
	}
	return found, true
}

func (s *server) search(w http.ResponseWriter, r *http.Request) {
	found, ok := s.find(w, r)
	if !ok {
		return
	}
	index, hits := r.PathValue("index"), []object{}
	for _, hit := range found.Hits {
		source, err := s.indexes.get(index, hit.ID)
		if err != nil {
			tell(w, index, err)
			return
		}
		hits = append(hits, object{"_index": index, "_id": hit.ID, "_score": hit.Score, "_source": source})
	}
	reply(w, http.StatusOK, object{
		"took": found.Took.Milliseconds(), "timed_out": false, "_shards": object{"total": 1, "successful": 1, "skipped": 0, "failed": 0},
		"hits": object{"total": object{"value": found.Total, "relation": "eq"}, "max_score": found.MaxScore, "hits": hits},
	})
}

func (s *server) countDocuments(w http.ResponseWriter, r *http.Request) {
	if found, ok := s.find(w, r); ok {
		reply(w, http.StatusOK, object{"count": found.Total, "_shards": object{"total": 1, "successful": 1, "skipped": 0, "failed": 0}})
	}
}

// tell answers with what went wrong with an index.
func tell(w http.ResponseWriter, index string, err error) {
	switch {
	case errors.Is(err, errNoIndex):
		fail(w, http.StatusNotFound, "index_not_found_exception", "no such index ["+index+"]")
	case errors.Is(err, errBadName):
		fail(w, http.StatusBadRequest, "invalid_index_name_exception", "Invalid index name ["+index+"], "+err.Error())
	case errors.Is(err, errIsThere):
		fail(w, http.StatusBadRequest, "resource_already_exists_exception", "index ["+index+"] already exists")
	default:
		fail(w, http.StatusInternalServerError, "exception", err.Error())
	}
}
