package main

import (
	"context"

	"renga"
	"renga/logs"
	"renga/meter"
	"renga/router"
	"renga/store"
)

// activity writes what people do into the apps' logs.
type activity struct {
	logs *logs.Logs
	db   *store.Store
}

// Note adds a line such as "Deploy 0123abcd by user ada@example.com".
func (a activity) Note(ctx context.Context, app renga.AppID, by renga.AccountID, what string) {
	who := "user " + string(by)
	if by == renga.Platform {
		who = "the platform"
	} else if account, err := a.db.Account(ctx, by); err == nil {
		who = "user " + account.Email
	}
	a.logs.Line(app, renga.SourceApp, "api", what+" by "+who)
}

// requestLog writes the router's line of each request into its app's log, and has
// it counted, without holding it up.
type requestLog struct {
	logs     *logs.Logs
	requests *meter.Counter
}

// Request adds a line, unless no app was asked for.
func (r requestLog) Request(of router.Record) {
	if of.App != "" {
		r.requests.Request(of.App, string(of.Code), of.Status, of.Service)
		r.logs.Offer(of.App, renga.SourceHeroku, "router", of)
	}
}
