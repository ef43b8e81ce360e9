package registry

import (
	"context"
	"crypto/subtle"
	"net/http"
	"strings"

	"renga"
)

// caller is the account that makes a request, as far as its token goes; or the
// dyno manager, which may pull; or somebody who did not log in.
type caller struct {
	account   renga.Account
	scopes    renga.Scopes
	token     string      // the id of its authorization
	robotOf   renga.AppID // the only app that the token reaches; empty if it reaches all of the account's
	puller    bool
	anonymous bool
	// pushID is the push's id if the platform itself brings the image, an import or a
	// build: that always releases, once. The release is described so.
	pushID, description string
}

var errLogin = renga.Errorf(renga.Unauthorized, "Log in with an API token as password; any user name will do.")

// authenticate finds out who makes a request. Tokens come as the password of
// Basic credentials, which is what docker login makes, or as a Bearer token,
// which is what Heroku's client sends.
func (r *Registry) authenticate(req *http.Request) (caller, error) {
	if who, ok := req.Context().Value(callerKey{}).(caller); ok {
		return who, nil
	}
	shown := credentialsOf(req)
	token := shown.Token
	switch {
	case token == "" || token == anonymousToken:
		return caller{anonymous: true}, nil
	case r.o.PullToken != "" && subtle.ConstantTimeCompare([]byte(token), []byte(r.o.PullToken)) == 1:
		return caller{puller: true}, nil
	}
	bearer, err := r.dir.Holder(req.Context(), shown)
	if renga.KindOf(err) == renga.Unauthorized {
		return caller{}, errLogin
	}
	of := bearer.Authorization
	return caller{account: bearer.Account, scopes: of.Scopes, token: of.ID, robotOf: of.App}, err
}

func credentialsOf(req *http.Request) renga.ShownToken {
	shown := renga.ShownToken{From: addressOf(req)}
	if user, password, ok := req.BasicAuth(); ok {
		shown.User, shown.Token = user, password
		return shown
	}
	scheme, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		shown.Token = strings.TrimSpace(token)
	}
	return shown
}

// authorize is an error unless the caller may make the call, and returns the
// app. It is the zero App if there is none yet and a push may make it.
func (r *Registry) authorize(ctx context.Context, who caller, c call, writes bool) (renga.App, error) {
	switch {
	case who.puller && writes:
		return renga.App{}, errPullOnly
	case who.puller:
		return renga.App{}, nil
	case who.anonymous:
		return r.openApp(ctx, c)
	case writes && c.process == releasesPart:
		return renga.App{}, errReadOnly
	}
	scope, permission := who.needs(writes), renga.MayView
	if writes {
		permission = renga.MayDeploy
	}
	if !who.scopes.Allow(scope) {
		return renga.App{}, renga.Errorf(renga.Forbidden, "The scope of this token does not allow this; it takes %s.", scope)
	}
	app, err := r.dir.AppByRepository(ctx, c.app)
	if err == nil && !writes && opened(app, c) {
		return app, nil
	}
	asked := app
	asked.Name = c.app // which may be a former one; only those who may see the app learn the other
	switch {
	case who.strange(app) && (err == nil || renga.KindOf(err) == renga.NotFound):
		return renga.App{}, errOtherApp
	case renga.KindOf(err) == renga.NotFound && writes && r.o.CreateOnPush:
		return renga.App{}, nil
	case renga.KindOf(err) == renga.NotFound && writes:
		return renga.App{}, renga.Errorf(renga.Forbidden, "There is no app %s. Create it first, then push again.", c.app)
	case renga.KindOf(err) == renga.NotFound:
		return renga.App{}, renga.Errorf(renga.NotFound, "There is no app %s.", c.app)
	case err != nil:
		return renga.App{}, err
	case asked.Permit(who.account.ID, permission) != nil:
		return renga.App{}, asked.Permit(who.account.ID, permission)
	case app.Deleting && writes:
		return renga.App{}, renga.Errorf(renga.Forbidden, "The app %s is being deleted.", c.app)
	}
	return app, nil
}

// needs is the scope that a token needs to read or write.
func (who caller) needs(writes bool) renga.Scope {
	switch {
	case who.robotOf != "" && writes:
		return renga.ScopeRegistryPush
	case who.robotOf != "":
		return renga.ScopeRegistryPull
	case writes:
		return renga.ScopeWriteProtected // what is pushed runs, and can print config vars
	}
	return renga.ScopeRead
}

// strange tells whether the caller is a robot of another app than that.
func (who caller) strange(app renga.App) bool { return who.robotOf != "" && who.robotOf != app.ID }

// openApp is an app whose images everybody may pull. Whoever did not log in is
// told the same about an app of others and about one that does not exist.
func (r *Registry) openApp(ctx context.Context, c call) (renga.App, error) {
	app, err := r.dir.AppByRepository(ctx, c.app)
	switch {
	case renga.KindOf(err) == renga.NotFound:
		return renga.App{}, errLogin
	case err != nil:
		return renga.App{}, err
	case !opened(app, c):
		return renga.App{}, errLogin
	}
	return app, nil
}

// opened tells whether everybody may make that read of an app's repositories.
func opened(app renga.App, c call) bool {
	return app.Registry.AnonymousPull && !app.Deleting && c.pulls(http.MethodGet)
}

// mayMountFrom tells whether the caller may pull from the repository that a
// mount names; never from an invalid name.
func (r *Registry) mayMountFrom(ctx context.Context, who caller, repository string) (call, bool) {
	app, process, err := parseRepository(repository)
	if err != nil {
		return call{}, false
	}
	c := call{kind: callBlob, app: app, process: process}
	found, err := r.authorize(ctx, who, c, false)
	if found.Name != "" {
		c.app = found.Name
	}
	return c, err == nil
}
