package wire

import (
	"context"

	"renga"
)

// Parts are the rooms that the door needs.
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

// Logins checks passwords.
type Logins interface {
	// Login gives the account with that email and password, with an authorization
	// that is not stored. From is the client's address. Unauthorized when email and
	// password do not match, TooMany after too many failures.
	Login(ctx context.Context, email, password, from string) (renga.Bearer, error)
}

// Authorizations knows the authorizations of accounts.
type Authorizations interface {
	// Authorizations lists those that have not expired, oldest first.
	Authorizations(ctx context.Context, account renga.AccountID) ([]renga.Authorization, error)
}

// Accounts knows the accounts.
type Accounts interface {
	// Account is NotFound for an unknown id.
	Account(ctx context.Context, id renga.AccountID) (renga.Account, error)
	// AccountByEmail is NotFound for an unknown email; upper and lower case are the
	// same.
	AccountByEmail(ctx context.Context, email string) (renga.Account, error)
}

// Apps knows the apps.
type Apps interface {
	// App and AppByName are NotFound for an app that does not exist. One that is
	// being deleted still exists.
	App(ctx context.Context, id renga.AppID) (renga.App, error)
	AppByName(ctx context.Context, name string) (renga.App, error)
	// AppIDs lists all apps. SomeApps leaves out apps that do not exist.
	AppIDs(ctx context.Context) ([]renga.AppID, error)
	SomeApps(ctx context.Context, ids []renga.AppID) ([]renga.App, error)
}

// Releases knows the newest releases.
type Releases interface {
	// Newest leaves out apps that do not exist.
	Newest(ctx context.Context, apps []renga.AppID) (map[renga.AppID]renga.ReleaseRecord, error)
}

// Activity writes what people do to an app into its log.
type Activity interface {
	// Note notes what an account did, such as "Scaled to web@2:Standard-1X".
	Note(ctx context.Context, app renga.AppID, by renga.AccountID, what string)
}

// Reconciler is told of an app that has changed.
type Reconciler interface {
	Reconcile(app renga.AppID)
}
