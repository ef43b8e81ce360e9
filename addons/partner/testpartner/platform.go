package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// exchange turns the newest code of an add-on into tokens.
func (p *partner) exchange(id string) {
	r := p.resource(id)
	if r == nil || r.Refresh != "" {
		return
	}
	p.token(id, url.Values{"grant_type": {"authorization_code"}, "code": {r.Codes[len(r.Codes)-1]}})
}

// token asks for tokens, and keeps them.
func (p *partner) token(id string, form url.Values) {
	form.Set("client_secret", p.clientSecret)
	res, err := http.PostForm(p.api+"/oauth/token", form)
	if err != nil {
		p.fault(id, err.Error())
		return
	}
	defer func() { _ = res.Body.Close() }() // nothing was written
	var got struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Type    string `json:"token_type"`
	}
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || res.StatusCode != http.StatusOK || got.Type != "Bearer" {
		p.fault(id, fmt.Sprint("tokens: ", res.Status, err))
		return
	}
	p.edit(func(s *state) { s.Resources[id].Access, s.Resources[id].Refresh = got.Access, got.Refresh })
}

func (p *partner) fault(id, what string) {
	p.edit(func(s *state) { s.Resources[id].Faults = append(s.Resources[id].Faults, what) })
}

// call calls the platform's API for an add-on, with a new token if the old one is
// over.
func (p *partner) call(method, id, path string, body any) (reply, error) {
	for attempt := 0; ; attempt++ {
		r := p.resource(id)
		if r == nil {
			return reply{}, fmt.Errorf("no add-on %s", id)
		}
		got, err := p.callOnce(method, id, path, r.Access, body)
		if err != nil || got.status != http.StatusUnauthorized || attempt > 0 {
			return got, err
		}
		p.token(id, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.Refresh}})
	}
}

// reply is what the platform answered.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (p *partner) callOnce(method, id, path, token string, body any) (reply, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return reply{}, err
	}
	req, err := http.NewRequest(method, p.api+"/addons/"+id+path, bytes.NewReader(text))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/vnd.heroku+json; version=3")
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = res.Body.Close() }() // nothing was written
	said, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, said}, err
}

// must is call with a fault unless it goes well.
func (p *partner) must(method, id, path string, body any) (reply, bool) {
	got, err := p.call(method, id, path, body)
	if err != nil || got.status > 299 {
		p.fault(id, fmt.Sprintf("%s %s: %v %s", method, path, err, got.body))
		return got, false
	}
	return got, true
}

// setConfig tells the platform what apps get.
func (p *partner) setConfig(id string) {
	r := p.resource(id)
	p.must(http.MethodPatch, id, "/config", map[string]any{
		"config": []map[string]string{{"name": p.prefix() + "_URL", "value": p.url(*r)}},
	})
}

// finish ends an asynchronous provision.
func (p *partner) finish(id string) {
	p.exchange(id)
	p.setConfig(id)
	p.must(http.MethodPost, id, "/actions/provision", nil)
}

func (p *partner) finishNow(w http.ResponseWriter, r *http.Request) {
	p.finish(r.PathValue("id"))
	p.showState(w, r)
}

// rotate replaces the password of an add-on.
func (p *partner) rotate(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	p.edit(func(s *state) { s.Resources[id].Password = newPassword() })
	p.setConfig(id)
	p.showState(w, r)
}

// subscribe asks to be told what happens to an add-on.
func (p *partner) subscribe(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	got, ok := p.must(http.MethodPost, id, "/webhooks", map[string]any{
		"include": []string{"api:addon", "api:addon-attachment", "api:release"}, "level": "sync",
		"url": "http://" + r.Host + "/webhooks/" + id,
	})
	if ok {
		var hook struct{ ID string }
		if err := json.Unmarshal(got.body, &hook); err != nil {
			p.fault(id, err.Error())
		}
		secret := got.header.Get("Heroku-Webhook-Secret")
		p.edit(func(s *state) { s.Resources[id].Webhook, s.Resources[id].Secret = hook.ID, secret })
	}
	p.showState(w, r)
}

// webhook takes what the platform tells of an add-on.
func (p *partner) webhook(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	known := p.resource(id)
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || known == nil {
		say(w, http.StatusNotFound, "There is no such add-on.")
		return
	}
	mac := hmac.New(sha256.New, []byte(known.Secret))
	mac.Write(body)
	if strings.TrimSpace(r.Header.Get("Heroku-Webhook-Hmac-SHA256")) != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
		say(w, http.StatusForbidden, "The signature is wrong.")
		return
	}
	var event map[string]any
	if err := json.Unmarshal(body, &event); err != nil {
		say(w, http.StatusBadRequest, err.Error())
		return
	}
	p.edit(func(s *state) { s.Resources[id].Events = append(s.Resources[id].Events, event) })
	w.WriteHeader(http.StatusNoContent)
}
