package main

import (
	"context"
	"log/slog"

	"renga"
	"renga/logs"
	"renga/meter"
	"renga/router"
	"renga/store"
)

// openLogs opens the apps' logs.
func openLogs(s Settings, log *slog.Logger) (*logs.Logs, error) {
	return logs.New(logs.Options{Dir: s.path("logs"), MaxBytes: s.LogBytes, Log: log})
}

// deeds writes what people do into the apps' logs.
type deeds struct {
	logs *logs.Logs
	db   *store.Store
}

// Did adds a line such as "Deploy 0123abcd by user ada@example.com".
func (d deeds) Did(ctx context.Context, app renga.AppID, by renga.AccountID, what string) {
	who := "user " + string(by)
	if by == renga.Platform {
		who = "the platform"
	} else if account, err := d.db.Account(ctx, by); err == nil {
		who = "user " + account.Email
	}
	d.logs.Line(app, renga.SourceApp, "api", what+" by "+who)
}

// routerLines writes the router's line of each request into its app's log, and has
// it counted, without holding it up.
type routerLines struct {
	logs     *logs.Logs
	requests *meter.Counter
}

// Request adds a line, unless no app was asked for.
func (r routerLines) Request(of router.Record) {
	if of.App != "" {
		r.requests.Request(of.App, string(of.Code), of.Status, of.Service)
		r.logs.Offer(of.App, renga.SourceHeroku, "router", of)
	}
}
