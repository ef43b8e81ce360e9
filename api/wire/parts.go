package wire

import (
	"context"

	"renga"
)

// Parts are who the door asks, and who is told of what goes on behind it.
type Parts struct {
	Tokens         Tokens
	Logins         Logins
	Authorizations Authorizations
	Accounts       Accounts
	Apps           Apps
	Releases       Releases
	Repeats        Repeats
	Activity       Activity
	Reconciler     Reconciler
}

// Logins lets people in.
type Logins interface {
	// Login is who has that email and password, asked for from an address, with an
	// authorization that is nobody's yet. Unauthorized when they do not match,
	// TooMany when that was so too often.
	Login(ctx context.Context, email, password, from string) (renga.Bearer, error)
}

// Authorizations knows the authorizations of accounts.
type Authorizations interface {
	// Authorizations lists those that are not over, oldest first.
	Authorizations(ctx context.Context, account renga.AccountID) ([]renga.Authorization, error)
}

// Accounts knows the accounts.
type Accounts interface {
	// Account is NotFound for an id that nobody has.
	Account(ctx context.Context, id renga.AccountID) (renga.Account, error)
	// AccountByEmail is NotFound for an email that nobody has, in any case.
	AccountByEmail(ctx context.Context, email string) (renga.Account, error)
}

// Apps knows the apps.
type Apps interface {
	// App and AppByName are NotFound where there is none. An app that is being
	// deleted is still there.
	App(ctx context.Context, id renga.AppID) (renga.App, error)
	AppByName(ctx context.Context, name string) (renga.App, error)
	// AppIDs are those of all apps; SomeApps leaves out those that are not there.
	AppIDs(ctx context.Context) ([]renga.AppID, error)
	SomeApps(ctx context.Context, ids []renga.AppID) ([]renga.App, error)
}

// Releases knows the newest releases.
type Releases interface {
	// Newest leaves out apps that are gone.
	Newest(ctx context.Context, apps []renga.AppID) (map[renga.AppID]renga.ReleaseRecord, error)
}

// Activity takes what people do to an app, for its log.
type Activity interface {
	// Note notes what an account did, such as "Scaled to web@2:Standard-1X".
	Note(ctx context.Context, app renga.AppID, by renga.AccountID, what string)
}

// Reconciler is told when an app should be looked at.
type Reconciler interface {
	Reconcile(app renga.AppID)
}
