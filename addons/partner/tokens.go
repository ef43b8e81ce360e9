package partner

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/addons/catalogue"
)

// Nothing is kept of a partner's tokens: each is made of the add-on's own secret,
// which is sealed in its record, and ends with it. The code of a grant and the
// token that renews others are UUIDs, as Heroku's are, for partners keep them as
// such.

// tokenLifetime is how long a partner's token lasts.
const tokenLifetime = 8 * time.Hour

// tokenPrefix tells partners' tokens from those of accounts.
const tokenPrefix = "renga-add-on."

// mac is what only the platform can make of an add-on.
func mac(a renga.AddOn, kind string, until time.Time) []byte {
	m := hmac.New(sha256.New, []byte(a.Admin))
	fmt.Fprintf(m, "partner %s %s %d", kind, a.ID, until.Unix())
	return m.Sum(nil)
}

// asUUID is a MAC in the form of a UUID, of which 122 bits stay.
func asUUID(sum []byte) string {
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return id.String()
}

// code is what a partner's grant is exchanged with.
func code(a renga.AddOn) string { return asUUID(mac(a, "code", a.Partner.CodeUntil)) }

// refresh renews tokens, as long as the add-on is there.
func refresh(a renga.AddOn) string { return asUUID(mac(a, "refresh", time.Time{})) }

func access(a renga.AddOn, until time.Time) renga.Secret {
	text := base64.RawURLEncoding.EncodeToString(mac(a, "access", until))
	return renga.Secret(tokenPrefix + string(a.ID) + "." + strconv.FormatInt(until.Unix(), 10) + "." + text)
}

// IsToken tells whether a token may be a partner's. No account's is.
func IsToken(token string) bool { return strings.HasPrefix(token, tokenPrefix) }

// errGrant says no more than OAuth does.
func errGrant() error {
	return renga.Errorf(renga.Unauthorized, "The code or token is not valid: it was used, has expired, or is another's.")
}

// Exchange gives tokens for the code of a grant, once.
func (p *Provider) Exchange(ctx context.Context, given string, clientSecret string) (renga.PartnerTokens, error) {
	a, err := p.find(ctx, clientSecret, func(a renga.AddOn) bool { return p.isCode(a, given) })
	if err != nil {
		return renga.PartnerTokens{}, err
	}
	err = p.edit(ctx, a.ID, func(a *renga.AddOn) error {
		if gone(*a) || !p.isCode(*a, given) {
			return errGrant() // somebody was faster
		}
		a.Partner.CodeUntil = time.Time{}
		return nil
	})
	if err != nil {
		return renga.PartnerTokens{}, err
	}
	return p.tokens(a), nil
}

// isCode tells whether a code can be exchanged for an add-on's tokens.
func (p *Provider) isCode(a renga.AddOn, given string) bool {
	return a.Partner.CodeUntil.After(p.Now()) && same(given, code(a))
}

// Renew gives tokens for the one that renews them.
func (p *Provider) Renew(ctx context.Context, given string, clientSecret string) (renga.PartnerTokens, error) {
	a, err := p.find(ctx, clientSecret, func(a renga.AddOn) bool { return same(given, refresh(a)) })
	if err != nil {
		return renga.PartnerTokens{}, err
	}
	return p.tokens(a), nil
}

func (p *Provider) tokens(a renga.AddOn) renga.PartnerTokens {
	return renga.PartnerTokens{
		Access: access(a, p.Now().Add(tokenLifetime)), Refresh: renga.Secret(refresh(a)), ExpiresIn: tokenLifetime,
		AddOn: a.ID,
	}
}

// find finds the add-on that something is good for, among those of the partner
// that has the secret. Add-ons are read for partners only.
func (p *Provider) find(ctx context.Context, clientSecret string, good func(renga.AddOn) bool) (renga.AddOn, error) {
	var own []string
	for _, s := range p.Catalogue.Services() {
		if !provides(s) {
			continue
		}
		keys, err := p.secretsOf(s)
		if err == nil && same(clientSecret, string(keys.ClientSecret)) {
			own = append(own, s.Name)
		}
	}
	if len(own) == 0 {
		return renga.AddOn{}, renga.Errorf(renga.Unauthorized, "No partner of add-ons has that client_secret.")
	}
	all, err := p.Store.AddOns(ctx)
	if err != nil {
		return renga.AddOn{}, err
	}
	for _, a := range all {
		if slices.Contains(own, a.Service) && p.holds(a) && good(a) {
			return a, nil
		}
	}
	return renga.AddOn{}, errGrant()
}

// holds tells whether an add-on's partner may do anything with it.
func (p *Provider) holds(a renga.AddOn) bool {
	s, plan, err := p.Catalogue.Plan(a.PlanName())
	return err == nil && plan.Provider == catalogue.Partner && s.Name == a.Service && !gone(a) && a.Admin != "" &&
		a.Partner.State != ""
}

// provides tells whether any plan of a service is a partner's.
func provides(s catalogue.Service) bool {
	return slices.ContainsFunc(s.Plans, func(p catalogue.Plan) bool { return p.Provider == catalogue.Partner })
}

func same(given, wanted string) bool {
	return given != "" && subtle.ConstantTimeCompare([]byte(given), []byte(wanted)) == 1
}

// Bearer is the partner of an add-on that has a token; renga.Unauthorized if none
// has.
func (p *Provider) Bearer(ctx context.Context, token string) (renga.Bearer, error) {
	unknown := renga.Errorf(renga.Unauthorized, "This token of an add-on's partner is not valid, or has expired.")
	rest, ok := strings.CutPrefix(token, tokenPrefix)
	id, rest, _ := strings.Cut(rest, ".")
	seconds, _, _ := strings.Cut(rest, ".")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if !ok || err != nil || uuid.Validate(id) != nil || len(id) != len(uuid.Nil.String()) {
		return renga.Bearer{}, unknown
	}
	a, err := p.Store.AddOn(ctx, renga.AddOnID(id))
	if renga.KindOf(err) == renga.NotFound {
		return renga.Bearer{}, unknown
	}
	if err != nil {
		return renga.Bearer{}, err
	}
	until := time.Unix(unix, 0).UTC()
	if !p.holds(a) || !same(token, string(access(a, until))) || !until.After(p.Now()) {
		return renga.Bearer{}, unknown
	}
	return p.bearer(a, until), nil
}

// bearer is who a partner is to the API: no account, so that it may do what an
// add-on's partner may, and nothing that accounts may.
func (p *Provider) bearer(a renga.AddOn, until time.Time) renga.Bearer {
	who := renga.AccountID("add-on:" + string(a.ID))
	return renga.Bearer{
		Account: renga.Account{ID: who, Email: a.Service + "@addons." + p.Domain, Name: a.Service},
		Authorization: renga.Authorization{
			ID: string(who), Account: who, Description: "partner of " + a.Name, AddOn: a.ID,
			Scopes: renga.Scopes{renga.ScopeWriteProtected}, ExpiresAt: until,
		},
	}
}
