package registry

import (
	"context"
	"crypto/subtle"
	"net/http"
	"strings"

	"renga"
)

// caller is the account that makes a request, as far as its token goes, or the
// dyno manager, which may pull.
type caller struct {
	account renga.Account
	scopes  renga.Scopes
	token   string // the id of its authorization
	puller  bool
}

var errLogin = renga.Errorf(renga.Unauthorized, "Log in with an API token as password; any user name will do.")

// authenticate finds out who makes a request. Tokens come as the password of
// Basic credentials, which is what docker login makes, or as a Bearer token,
// which is what Heroku's client sends.
func (r *Registry) authenticate(req *http.Request) (caller, error) {
	token := tokenOf(req)
	switch {
	case token == "":
		return caller{}, errLogin
	case r.o.PullToken != "" && subtle.ConstantTimeCompare([]byte(token), []byte(r.o.PullToken)) == 1:
		return caller{puller: true}, nil
	}
	bearer, err := r.dir.Bearer(req.Context(), token)
	if renga.KindOf(err) == renga.Unauthorized {
		return caller{}, errLogin
	}
	return caller{account: bearer.Account, scopes: bearer.Authorization.Scopes, token: bearer.Authorization.ID}, err
}

func tokenOf(req *http.Request) string {
	if _, password, ok := req.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// authorize is an error unless the caller may make the call, and returns the
// app. It is the zero App if there is none yet and a push may make it.
func (r *Registry) authorize(ctx context.Context, who caller, c call, writes bool) (renga.App, error) {
	switch {
	case who.puller && writes:
		return renga.App{}, errPullOnly
	case who.puller:
		return renga.App{}, nil
	case writes && c.process == releasesPart:
		return renga.App{}, errReadOnly
	}
	scope, permission := renga.ScopeRead, renga.MayView
	if writes {
		scope, permission = renga.ScopeWriteProtected, renga.MayDeploy // what is pushed runs, and can print config vars
	}
	if !who.scopes.Allow(scope) {
		return renga.App{}, renga.Errorf(renga.Forbidden, "The scope of this token does not allow this; it takes %s.", scope)
	}
	app, err := r.dir.AppByRepository(ctx, c.app)
	asked := app
	asked.Name = c.app // which may be a former one; only those who may see the app learn the other
	switch {
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
