package git

import (
	"context"
	"net"
	"net/http"

	"renga"
)

// caller is the account that makes a request, as far as its token goes.
type caller struct {
	account renga.Account
	scopes  renga.Scopes
	token   string      // the id of its authorization
	robotOf renga.AppID // the only app that the token reaches; empty if it reaches all of the account's
}

var (
	errLogin = renga.Errorf(renga.Unauthorized, "Log in with an API token as password; any user name will do.")
	errRobot = renga.Errorf(renga.Forbidden, "This token is a robot's, which reaches one app, and not this.")
	errPulls = renga.Errorf(renga.Forbidden, "This token pulls images; it does not reach the source code.")
)

// authenticate finds out who makes a request: the password of Basic credentials is an API
// token.
func (g *Git) authenticate(req *http.Request) (caller, error) {
	user, password, ok := req.BasicAuth()
	if !ok || password == "" {
		return caller{}, errLogin
	}
	bearer, err := g.dir.Holder(req.Context(), renga.ShownToken{User: user, Token: password, From: addressOf(req)})
	if renga.KindOf(err) == renga.Unauthorized {
		return caller{}, errLogin
	}
	of := bearer.Authorization
	return caller{account: bearer.Account, scopes: of.Scopes, token: of.ID, robotOf: of.App}, err
}

// addressOf is the address that a request comes from, without its port.
func addressOf(req *http.Request) string {
	from, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		return req.RemoteAddr
	}
	return from
}

// authorize is an error unless the caller may push to the app of that name, or clone it,
// and returns the app. It is the zero App if there is none yet and the push may make it.
//
// Of an app that the caller may not see they learn nothing, not even that it is there.
func (g *Git) authorize(ctx context.Context, who caller, name string, push bool) (renga.App, error) {
	permission := renga.MayView
	if push {
		permission = renga.MayDeploy
	}
	if err := who.scopesFor(push); err != nil {
		return renga.App{}, err
	}
	app, err := g.dir.AppByRepository(ctx, name)
	asked := app
	asked.Name = name // which may be a former one; only those who may see the app learn the other
	missing := renga.KindOf(err) == renga.NotFound
	switch {
	case err != nil && !missing:
		return renga.App{}, err
	case who.robotOf != "" && who.robotOf != app.ID:
		return renga.App{}, errRobot
	case missing && push && g.o.CreateOnPush:
		return renga.App{}, renga.ValidateAppName(name)
	case missing, len(app.Permissions(who.account.ID)) == 0:
		return renga.App{}, noApp(name, push)
	case asked.Permit(who.account.ID, permission) != nil:
		return renga.App{}, asked.Permit(who.account.ID, permission)
	case app.Deleting:
		return renga.App{}, renga.Errorf(renga.Forbidden, "The app %s is being deleted.", name)
	}
	return app, nil
}

func noApp(name string, push bool) error {
	if push {
		return renga.Errorf(renga.NotFound, "There is no app %s that you have access to. Create it first, then push again.", name)
	}
	return renga.Errorf(renga.NotFound, "There is no app %s that you have access to.", name)
}

// scopesFor is an error unless the token goes as far as a push or a clone. What is pushed
// runs, and can print config vars. A robot that pushes images may push the source that
// makes them; one that pulls images does not see the source with its history.
func (who caller) scopesFor(push bool) error {
	need := renga.ScopeRead
	switch {
	case who.robotOf != "" && !who.scopes.Allow(renga.ScopeRegistryPush):
		return errPulls
	case who.robotOf != "":
		return nil
	case push:
		need = renga.ScopeWriteProtected
	}
	if !who.scopes.Allow(need) {
		return renga.Errorf(renga.Forbidden, "The scope of this token does not allow this; it takes %s.", need)
	}
	return nil
}
