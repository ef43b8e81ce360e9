package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"sync"
)

// partner is the program's state.
type partner struct {
	slug, password, salt, clientSecret, api, file string

	mu    sync.Mutex // guards what follows
	state state
}

// state is what is kept in the file.
type state struct {
	Resources map[string]*resource `json:"resources"` // by uuid
	Behave    []behaviour          `json:"behave"`
	Async     bool                 `json:"async"`
	// Manual is set if an asynchronous provision is finished by the test only.
	Manual bool `json:"manual"`
	Asked  int  `json:"asked"` // requests of the platform
}

// resource is one add-on.
type resource struct {
	UUID    string            `json:"uuid"`
	Name    string            `json:"name"`
	Plan    string            `json:"plan"`
	Options map[string]string `json:"options"`
	// Codes are those that came, the newest last.
	Codes    []string `json:"codes"`
	Callback string   `json:"callback"`
	Password string   `json:"password"`
	Access   string   `json:"access"`
	Refresh  string   `json:"refresh"`
	Gone     bool     `json:"gone"`
	// Made counts how often it was made: never more than once.
	Made    int              `json:"made"`
	Secret  string           `json:"secret"` // of its webhook
	Webhook string           `json:"webhook"`
	Events  []map[string]any `json:"events"`
	Faults  []string         `json:"faults"` // what the platform answered that it should not have
}

// behaviour is how one request of the platform is answered, in place of doing what
// it asks for.
type behaviour struct {
	Method string            `json:"method"`
	Status int               `json:"status"`
	Body   string            `json:"body"`
	Header map[string]string `json:"header"`
	Late   bool              `json:"late"` // it is done, and not answered
}

func (p *partner) load() error {
	text, err := os.ReadFile(p.file)
	if errors.Is(err, fs.ErrNotExist) {
		p.state = state{Resources: map[string]*resource{}}
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &p.state)
}

// save is called with the lock held.
func (p *partner) save() {
	text, err := json.Marshal(p.state)
	if err == nil {
		err = os.WriteFile(p.file+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(p.file+".new", p.file)
	}
	if err != nil {
		panic(err)
	}
}

// edit changes what is kept.
func (p *partner) edit(do func(*state)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do(&p.state)
	p.save()
}

// resource is a copy of an add-on that is there; nil if it is not.
func (p *partner) resource(id string) *resource {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.state.Resources[id]
	if !ok || r.Gone {
		return nil
	}
	c := *r
	return &c
}

// next is how the next request of a method is to be answered.
func (p *partner) next(method string) (b behaviour) {
	p.edit(func(s *state) {
		s.Asked++
		i := slices.IndexFunc(s.Behave, func(b behaviour) bool { return b.Method == method })
		if i >= 0 {
			b = s.Behave[i]
			s.Behave = slices.Delete(s.Behave, i, i+1)
		}
	})
	return b
}

// behave replaces how requests are answered.
func (p *partner) behave(w http.ResponseWriter, r *http.Request) {
	var told state
	if err := json.NewDecoder(r.Body).Decode(&told); err != nil {
		say(w, http.StatusBadRequest, err.Error())
		return
	}
	p.edit(func(s *state) { s.Behave, s.Async, s.Manual = told.Behave, told.Async, told.Manual })
	say(w, http.StatusOK, "As you wish.")
}

func (p *partner) showState(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	answer(w, http.StatusOK, p.state)
}

func newPassword() string { return rand.Text() }
