package partner

import (
	"cmp"
	"crypto/sha1" // Heroku's protocol has it, for a token of minutes
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"renga"
	"renga/addons/catalogue"
)

// SignOn makes the form for somebody who comes from an app.
func (p *Provider) SignOn(a renga.AddOn, app renga.App, who renga.Account) (renga.SignOn, error) {
	s, plan, err := p.Catalogue.Plan(a.PlanName())
	if err != nil {
		return renga.SignOn{}, err
	}
	if plan.Provider != catalogue.Partner || s.Partner.SSOURL == "" {
		return renga.SignOn{}, renga.Errorf(renga.Invalid, "%s has nothing to open in a browser.", a.Name)
	}
	if a.Partner.Plan == "" || gone(a) {
		return renga.SignOn{}, renga.Errorf(renga.Invalid, "%s is not provided yet, or no more.", a.Name)
	}
	keys, err := p.secretsOf(s)
	if err != nil {
		return renga.SignOn{}, err
	}
	return renga.SignOn{Action: s.Partner.SSOURL, Fields: p.fields(a, app, who, keys)}, nil
}

// fields are those of Heroku's form. The first two are of older partners, who go by
// their own id.
func (p *Provider) fields(a renga.AddOn, app renga.App, who renga.Account, keys secrets) map[string]string {
	at, salt, id := strconv.FormatInt(p.Now().Unix(), 10), string(keys.SSOSalt), string(a.ID)
	own := cmp.Or(a.Partner.ID, id)
	return map[string]string{
		"id":                         own,
		"token":                      sha1Of(own + ":" + salt + ":" + at),
		"resource_id":                id,
		"resource_token":             sha1Of(id + ":" + salt + ":" + at),
		"user_scoped_resource_token": sha256Of(id + ":" + salt + ":" + at + ":" + string(who.ID) + ":" + who.Email),
		"timestamp":                  at,
		"nav-data":                   navData(a, app, who),
		"email":                      who.Email,
		"user_id":                    string(who.ID),
		"app":                        app.Name,
		"context_app":                app.Name,
	}
}

// navData is what Heroku's navigation bar was drawn from.
func navData(a renga.AddOn, app renga.App, who renga.Account) string {
	text, err := json.Marshal(map[string]string{
		"addon": a.Service, "appname": app.Name, "username": who.Email, "email": who.Email, "resource_name": a.Name,
	})
	if err != nil {
		panic(fmt.Errorf("encode nav-data: %w", err)) // it is of texts
	}
	return base64.StdEncoding.EncodeToString(text)
}

func sha1Of(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func sha256Of(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
