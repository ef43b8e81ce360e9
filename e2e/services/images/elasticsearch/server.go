package main

import (
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
)

// server answers HTTP.
type server struct {
	indexes *indexes
	users   *users
	secured bool
	open    atomic.Int64 // connections
}

type object map[string]any

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.info)
	mux.HandleFunc("GET /_cluster/health", s.health)
	mux.HandleFunc("GET /_nodes/stats/http", s.stats)

	mux.HandleFunc("GET /_security/_authenticate", s.authenticate)
	mux.HandleFunc("PUT /_security/user/{name}", s.putUser)
	mux.HandleFunc("POST /_security/user/{name}", s.putUser)
	mux.HandleFunc("GET /_security/user/{name}", s.getUser)
	mux.HandleFunc("DELETE /_security/user/{name}", s.deleteUser)
	mux.HandleFunc("PUT /_security/user/{name}/_password", s.putPassword)
	mux.HandleFunc("POST /_security/user/{name}/_password", s.putPassword)
	mux.HandleFunc("PUT /_security/role/{name}", s.putRole)
	mux.HandleFunc("POST /_security/role/{name}", s.putRole)

	mux.HandleFunc("PUT /{index}", s.createIndex)
	mux.HandleFunc("HEAD /{index}", s.hasIndex)
	mux.HandleFunc("DELETE /{index}", s.deleteIndex)
	mux.HandleFunc("POST /{index}/_refresh", s.refresh)
	mux.HandleFunc("POST /{index}/_doc", s.put)
	mux.HandleFunc("PUT /{index}/_doc/{id}", s.put)
	mux.HandleFunc("POST /{index}/_doc/{id}", s.put)
	mux.HandleFunc("GET /{index}/_doc/{id}", s.get)
	mux.HandleFunc("DELETE /{index}/_doc/{id}", s.delete)
	mux.HandleFunc("/{index}/_search", s.search)
	mux.HandleFunc("/{index}/_count", s.countDocuments)
	return s.guard(mux)
}

// guard asks for a user and password before anything else. Only superusers manage users, and see indexes whose name
// begins with a dot.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Elastic-Product", "Elasticsearch") // without it the official clients refuse a server
		w.Header().Set("Content-Type", "application/json")
		if !s.secured {
			next.ServeHTTP(w, r)
			return
		}
		name, password, _ := r.BasicAuth()
		super, known := s.users.check(name, password)
		if !known {
			w.Header().Set("WWW-Authenticate", `Basic realm="security", charset="UTF-8"`)
			fail(w, http.StatusUnauthorized, "security_exception", "unable to authenticate user ["+name+"] for REST request ["+r.URL.Path+"]")
			return
		}
		managing := strings.HasPrefix(r.URL.Path, "/_security/") && r.URL.Path != "/_security/_authenticate"
		if !super && (managing || strings.HasPrefix(r.URL.Path, "/.")) {
			fail(w, http.StatusForbidden, "security_exception", "action is unauthorized for user ["+name+"]")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *server) info(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, object{
		"name": "stand-in", "cluster_name": "docker-cluster", "cluster_uuid": rand.Text(), "tagline": "You Know, for Search",
		"version": object{"number": "8.13.4", "build_flavor": "default", "build_type": "docker", "lucene_version": "9.10.0",
			"minimum_wire_compatibility_version": "7.17.0", "minimum_index_compatibility_version": "7.0.0"},
	})
}

func (s *server) health(w http.ResponseWriter, _ *http.Request) {
	n := len(s.indexes.names())
	reply(w, http.StatusOK, object{
		"cluster_name": "docker-cluster", "status": "green", "timed_out": false, "number_of_nodes": 1, "number_of_data_nodes": 1,
		"active_primary_shards": n, "active_shards": n, "relocating_shards": 0, "initializing_shards": 0, "unassigned_shards": 0,
		"number_of_pending_tasks": 0, "active_shards_percent_as_number": 100.0,
	})
}

func (s *server) stats(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, object{
		"cluster_name": "docker-cluster", "nodes": object{"stand-in": object{"http": object{"current_open": s.open.Load()}}},
	})
}

// count follows the connections that are open.
func (s *server) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.open.Add(-1)
	default:
	}
}

func reply(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone
}

func fail(w http.ResponseWriter, status int, kind, reason string) {
	cause := object{"type": kind, "reason": reason}
	reply(w, status, object{"status": status, "error": object{"type": kind, "reason": reason, "root_cause": []object{cause}}})
}

// read decodes the request's body; it answers the request itself when that cannot be done.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 100<<20)).Decode(into)
	if err != nil {
		fail(w, http.StatusBadRequest, "parse_exception", err.Error())
	}
	return err == nil
}
