package main

import (
	"context"
	"time"

	"renga"
	"renga/addons/partner"
	"renga/store"
)

func (b base) newPartners() *partner.Provider {
	return partner.New(partner.Parts{
		Store:     b.db,
		Catalogue: b.catalogue,
		Dial:      b.egress.Dial,
		API:       b.settings.wire().BaseURL("api"),
		Domain:    b.settings.Domain,
		Log:       b.log,
		Now:       time.Now,
	})
}

// tokens are those of accounts, and those of add-ons' partners.
type tokens struct {
	*store.Store
	partners *partner.Provider
}

// Bearer finds who has a token.
func (t tokens) Bearer(ctx context.Context, token string) (renga.Bearer, error) {
	if partner.IsToken(token) {
		return t.partners.Bearer(ctx, token)
	}
	return t.Store.Bearer(ctx, token)
}
