package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// user is one of the native realm.
type user struct {
	Hash  []byte   `json:"hash"`
	Roles []string `json:"roles"`
}

// users are kept in a file. The first is elastic, whose password is the setting's until it is changed.
type users struct {
	file string

	mu  sync.Mutex
	all map[string]user
}

func openUsers(file, password string) (*users, error) {
	u := &users{file: file, all: map[string]user{}}
	content, err := os.ReadFile(file)
	if err == nil {
		return u, json.Unmarshal(content, &u.all)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	_, err = u.set("elastic", password, []string{"superuser"})
	return u, err
}

// check says whether the password is the user's, and whether that is a superuser.
func (u *users) check(name, password string) (super, known bool) {
	u.mu.Lock()
	one := u.all[name]
	u.mu.Unlock()
	return slices.Contains(one.Roles, "superuser"), bcrypt.CompareHashAndPassword(one.Hash, []byte(password)) == nil
}

// set makes or changes a user; without a password or roles those stay.
func (u *users) set(name, password string, roles []string) (created bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	one, known := u.all[name]
	if password != "" {
		if one.Hash, err = bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost); err != nil {
			return false, err
		}
	}
	if roles != nil {
		one.Roles = roles
	}
	u.all[name] = one
	return !known, u.saveLocked()
}

func (u *users) remove(name string) (found bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, found = u.all[name]
	delete(u.all, name)
	return found, u.saveLocked()
}

func (u *users) roles(name string) (roles []string, found bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	one, found := u.all[name]
	return one.Roles, found
}

func (u *users) saveLocked() error {
	content, err := json.Marshal(u.all)
	if err != nil {
		return err
	}
	if err := os.WriteFile(u.file+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(u.file+".new", u.file)
}

type userBody struct {
	Password string
	Roles    []string
}

func (s *server) putUser(w http.ResponseWriter, r *http.Request) {
	var body userBody
	if !read(w, r, &body) {
		return
	}
	name := r.PathValue("name")
	if _, known := s.users.roles(name); !known && len(body.Password) < 6 {
		fail(w, http.StatusBadRequest, "action_request_validation_exception", "password must be at least 6 characters long")
		return
	}
	if body.Roles == nil {
		body.Roles = []string{}
	}
	created, err := s.users.set(name, body.Password, body.Roles)
	if err != nil {
		fail(w, http.StatusInternalServerError, "exception", err.Error())
		return
	}
	reply(w, http.StatusOK, object{"created": created})
}

func (s *server) putPassword(w http.ResponseWriter, r *http.Request) {
	var body userBody
	if !read(w, r, &body) {
		return
	}
	name := r.PathValue("name")
	if _, known := s.users.roles(name); !known {
		fail(w, http.StatusNotFound, "resource_not_found_exception", "user ["+name+"] does not exist")
		return
	}
	if _, err := s.users.set(name, body.Password, nil); err != nil {
		fail(w, http.StatusInternalServerError, "exception", err.Error())
		return
	}
	reply(w, http.StatusOK, object{})
}

func (s *server) getUser(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	roles, known := s.users.roles(name)
	if !known {
		reply(w, http.StatusNotFound, object{})
		return
	}
	reply(w, http.StatusOK, object{name: object{"username": name, "roles": roles, "enabled": true, "metadata": object{}}})
}

func (s *server) deleteUser(w http.ResponseWriter, r *http.Request) {
	found, err := s.users.remove(r.PathValue("name"))
	switch {
	case err != nil:
		fail(w, http.StatusInternalServerError, "exception", err.Error())
	case !found:
		reply(w, http.StatusNotFound, object{"found": false})
	default:
		reply(w, http.StatusOK, object{"found": true})
	}
}

func (s *server) authenticate(w http.ResponseWriter, r *http.Request) {
	name, _, _ := r.BasicAuth()
	roles, _ := s.users.roles(name)
	reply(w, http.StatusOK, object{"username": name, "roles": roles, "enabled": true, "metadata": object{}})
}

// putRole accepts a role. What it allows does not count here: every user may do all but manage users.
func (s *server) putRole(w http.ResponseWriter, r *http.Request) {
	var body object
	if read(w, r, &body) {
		reply(w, http.StatusOK, object{"role": object{"created": true}})
	}
}
