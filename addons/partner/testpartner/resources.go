package main

import (
	"encoding/json"
	"net/http"
	"strings"
)

// provision makes an add-on, once for each uuid.
func (p *partner) provision(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		UUID        string            `json:"uuid"`
		Name        string            `json:"name"`
		Plan        string            `json:"plan"`
		Region      string            `json:"region"`
		CallbackURL string            `json:"callback_url"`
		Options     map[string]string `json:"options"`
		Grant       struct {
			Code, Type string
		} `json:"oauth_grant"`
	}
	err := json.NewDecoder(r.Body).Decode(&asked)
	switch {
	case err != nil || asked.UUID == "" || asked.Region == "" || asked.Grant.Type != "authorization_code":
		say(w, http.StatusBadRequest, "That is no request of Heroku's.")
		return
	case asked.Plan == "none":
		say(w, http.StatusUnprocessableEntity, "We have no plan of that name.")
		return
	}
	var made resource
	async, manual := false, false
	p.edit(func(s *state) {
		one, ok := s.Resources[asked.UUID]
		if !ok {
			one = &resource{UUID: asked.UUID, Password: newPassword(), Made: 1, Options: asked.Options}
			s.Resources[asked.UUID] = one
		}
		one.Name, one.Plan, one.Callback = asked.Name, asked.Plan, asked.CallbackURL
		one.Codes = append(one.Codes, asked.Grant.Code)
		made, async, manual = *one, s.Async, s.Manual
	})
	if async {
		answer(w, http.StatusAccepted, map[string]any{"id": made.UUID, "message": "It will be there in a minute."})
		if !manual {
			go p.finish(made.UUID)
		}
		return
	}
	answer(w, http.StatusCreated, map[string]any{
		"id": made.UUID, "message": "Thank you.\x1b[31m", "config": map[string]any{p.prefix() + "_URL": p.url(made)},
	})
	go p.exchange(made.UUID)
}

func (p *partner) prefix() string { return strings.ToUpper(strings.ReplaceAll(p.slug, "-", "_")) }

func (p *partner) url(r resource) string {
	return "bucket://" + r.Plan + ":" + r.Password + "@bucket.example/" + r.UUID
}

func (p *partner) changePlan(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Plan string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		say(w, http.StatusBadRequest, err.Error())
		return
	}
	if asked.Plan == "none" {
		say(w, http.StatusUnprocessableEntity, "You have too much for that plan.")
		return
	}
	id := r.PathValue("id")
	if p.resource(id) == nil {
		say(w, http.StatusGone, "It is gone.")
		return
	}
	var now resource
	p.edit(func(s *state) {
		s.Resources[id].Plan = asked.Plan
		now = *s.Resources[id]
	})
	answer(w, http.StatusOK, map[string]any{
		"message": "You are on " + asked.Plan + " now.", "config": map[string]any{p.prefix() + "_URL": p.url(now)},
	})
}

func (p *partner) deprovision(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if p.resource(id) == nil {
		say(w, http.StatusGone, "It is gone.")
		return
	}
	p.edit(func(s *state) { s.Resources[id].Gone = true })
	w.WriteHeader(http.StatusNoContent)
}
