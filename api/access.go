package api

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"renga"
)

// need is what a route asks of whoever calls it: a scope of the token, and one
// of some permissions on the app that the path names. What is empty is not asked
// for.
type need struct {
	scope renga.Scope
	app   []renga.Permission
}

// policy is what looking at a path asks for, and what changing it does.
type policy struct{ look, change need }

// onApp is the need of a scope and of one of some permissions.
func onApp(scope renga.Scope, either ...renga.Permission) need { return need{scope, either} }

// What is asked for most.
var (
	looking     = onApp(renga.ScopeRead, renga.MayView)
	operating   = onApp(renga.ScopeWrite, renga.MayOperate)
	deploying   = onApp(renga.ScopeWrite, renga.MayDeploy)
	readSecrets = onApp(renga.ScopeReadProtected, renga.MayDeploy, renga.MayOperate)
	setSecrets  = onApp(renga.ScopeWriteProtected, renga.MayOperate)
)

// The policies that most resources have.
var (
	everybody   = policy{}
	wholeToken  = policy{need{scope: renga.ScopeGlobal}, need{scope: renga.ScopeGlobal}}
	appList     = policy{need{scope: renga.ScopeRead}, need{scope: renga.ScopeWrite}}
	appPart     = policy{looking, operating}
	appDeploy   = policy{looking, deploying}
	appDynos    = policy{looking, onApp(renga.ScopeWrite, renga.MayDeploy, renga.MayOperate)} // scaling and releasing; each asks for its own
	appSecrets  = policy{readSecrets, setSecrets}
	appPrograms = policy{looking, setSecrets}                                // who runs a program can have it print its config vars
	appShared   = policy{looking, onApp(renga.ScopeGlobal, renga.MayManage)} // what is given away outlasts the token
)

// access says who may call what, so that handlers need not: a policy for each
// path in the form that routes have. A path that ends in a slash speaks for
// all below it too, and the longest one that fits holds; with a method in front
// it holds for that method only. A route that no line speaks for is refused to
// everybody.
var access = map[string]policy{
	"/account":                                        {need{scope: renga.ScopeIdentity}, need{scope: renga.ScopeGlobal}},
	"/account/app-transfers/":                         wholeToken,
	"/account/features/":                              wholeToken,
	"/account/keys/":                                  wholeToken,
	"/account/rate-limits":                            everybody,
	"/oauth/":                                         wholeToken,
	"/users/{account}/preferences":                    wholeToken,
	"/actions/addon-attachments/":                     appList,
	"/actions/addons/":                                appList,
	"/addon-attachments/":                             appList,
	"/addon-region-capabilities/":                     everybody,
	"/addon-services/":                                everybody,
	"/addons/":                                        appList,
	"/apps":                                           appList,
	"/apps/{app}":                                     appPart, // renaming asks for more
	"DELETE /apps/{app}":                              {change: onApp(renga.ScopeWrite, renga.MayManage)},
	"/apps/{app}/addon-attachments/":                  appPart,
	"/apps/{app}/addons/":                             appPart,
	"/apps/{app}/available-dyno-sizes":                appPart,
	"/apps/{app}/available-stacks":                    appPart,
	"/apps/{app}/buildpack-installations/":            appPart,
	"/apps/{app}/builds/":                             appDeploy,
	"/apps/{app}/collaborators/":                      appShared,
	"DELETE /apps/{app}/collaborators/{collaborator}": {change: onApp(renga.ScopeWrite, renga.MayView)}, // of others asks for more
	"/apps/{app}/config-vars":                         appSecrets,
	"/apps/{app}/acm":                                 appPart,
	"/apps/{app}/domains/":                            appPart,
	"/apps/{app}/sni-endpoints/":                      appPart,
	"/apps/{app}/dynos/":                              appPart,
	"POST /apps/{app}/dynos":                          appPrograms,
	"POST /apps/{app}/dynos/{dyno}/exec":              appPrograms,
	"/apps/{app}/features/":                           appPart,
	"/apps/{app}/formation/":                          appDynos,
	"/apps/{app}/health-check":                        appPart,
	"/apps/{app}/sleep":                               appPart,
	"/apps/{app}/canary":                              appDeploy,
	"/apps/{app}/formations/":                         appPart,
	"/apps/{app}/log-drains/":                         appSecrets,                                                             // their URLs may hold passwords
	"/apps/{app}/log-sessions":                        {change: looking},                                                      // it changes nothing
	"/api/v2/":                                        {need{scope: renga.ScopeRead}, need{scope: renga.ScopeWriteProtected}}, // the app is no part of the path
	"/apps/{app}/metrics":                             appPart,
	"/apps/{app}/releases/":                           appDeploy,
	"/apps/{app}/releases/{release}/config-vars":      appSecrets,
	"/apps/{app}/schedules/":                          appPrograms,
	"/apps/{app}/usage":                               appPart,
	"/apps/{app}/webhook-deliveries/":                 appPart,
	"/apps/{app}/webhook-events/":                     appPart,
	"/apps/{app}/webhooks/":                           appSecrets, // as those of drains
	"/apps/{app}/pipeline-couplings":                  appPart,
	"/filters/":                                       {change: need{scope: renga.ScopeRead}}, // it changes nothing
	"/pipeline-couplings/":                            appList,
	"/pipeline-promotions/":                           appList,
	"/pipeline-transfers":                             wholeToken, // as app transfers
	"/pipelines/":                                     appList,
	"/pipelines/{pipeline}/stage/":                    {need{scope: renga.ScopeReadProtected}, need{scope: renga.ScopeWriteProtected}},
	"/users/~/pipeline-couplings":                     appList,
	"/dyno-sizes/":                                    everybody,
	"/generations/":                                   everybody,
	"/regions/":                                       everybody,
	"/spaces/":                                        appList,
	"/stacks/":                                        everybody,
	"/teams":                                          appList,
	"/teams/apps":                                     appList,
	"/teams/apps/{app}":                               appPart,
	"/teams/{team}/":                                  appList,
	"/users/{account}":                                {need{scope: renga.ScopeIdentity}, need{scope: renga.ScopeGlobal}},
	"/users/{account}/addons":                         appList,
	"/users/{account}/apps":                           appList,
}

// lineOf is the line of access that speaks for a route.
func lineOf(method, path string) (line string, p policy, ok bool) {
	for key := path; key != ""; key = key[:strings.LastIndex(key, "/")] {
		for _, line := range []string{method + " " + key, key, method + " " + key + "/", key + "/"} {
			if p, ok := access[line]; ok && (key == path || strings.HasSuffix(line, "/")) {
				return line, p, true
			}
		}
	}
	return "", policy{}, false
}

// needOf is what a route asks for; of a route without a line, what nobody has.
func needOf(method, path string) need {
	_, p, ok := lineOf(method, path)
	switch {
	case !ok:
		return need{scope: "none"} // which nobody has
	case method == http.MethodGet:
		return p.look
	}
	return p.change
}

// guardedRoute is a route with what it asks for.
type guardedRoute struct {
	route
	asked need
}

// guarded puts what each route asks for in front of it.
func (s *Server) guarded(routes []route) []route {
	safe := make([]route, len(routes))
	for i, rt := range routes {
		g := guardedRoute{rt, needOf(rt.method, rt.path)}
		safe[i] = route{rt.method, rt.path, func(w http.ResponseWriter, r *http.Request) error { return s.enter(w, r, g) }}
	}
	return safe
}

// enter lets a request through that has what its route asks for. Only then its
// answer may be one that was given before.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, g guardedRoute) error {
	if err := s.admitToken(r, g.asked); err != nil {
		return err
	}
	barred := s.admitToApp(r, g.asked)
	p, err := newRepeatable(r)
	switch {
	case barred != nil && p != nil:
		return s.lastAnswer(w, r, p, barred)
	case barred != nil:
		return barred
	case err != nil:
		return err
	case p != nil:
		return s.actOnce(w, r, p, g)
	}
	return g.do(w, r)
}

// admitToken asks whether the token goes as far as what is asked for.
func (s *Server) admitToken(r *http.Request, asked need) error {
	if asked.scope != "" && !visitOf(r).bearer.Authorization.Scopes.Allow(asked.scope) {
		return renga.Errorf(renga.Forbidden, "The scope of this OAuth authorization does not allow access to this resource; it takes the scope %s.", asked.scope)
	}
	return nil
}

// admitToApp asks whether the caller may do what is asked for with the app of
// the path, and notes which one that is.
func (s *Server) admitToApp(r *http.Request, asked need) error {
	if len(asked.app) == 0 {
		return nil
	}
	a, err := s.reach(r, mux.Vars(r)["app"], asked.app...)
	if err != nil {
		return err
	}
	v := visitOf(r)
	v.target, v.app = a, a.Name
	return nil
}

// also asks the caller for more than the route of the request did, as it becomes
// known what is to be done with its app.
func (s *Server) also(r *http.Request, asked need) error {
	if err := s.admitToken(r, asked); err != nil {
		return err
	}
	return visitOf(r).target.Permit(caller(r).ID, asked.app...)
}

// reach finds an app by name or id, if the caller may do one of those things
// with it. It is there until nothing of it is left.
func (s *Server) reach(r *http.Request, identity string, either ...renga.Permission) (renga.App, error) {
	a, err := s.findApp(r.Context(), identity)
	if err != nil {
		return renga.App{}, orNotFound(err, "app")
	}
	asked := a
	asked.Name = clip(identity) // who knows only its id is not told its name
	if err := asked.Permit(caller(r).ID, either...); err != nil {
		return renga.App{}, err
	}
	return a, nil
}

// appNamed finds the app that a body names, if the caller may do one of those
// things with it.
func (s *Server) appNamed(r *http.Request, identity string, either ...renga.Permission) (renga.App, error) {
	a, err := s.reach(r, identity, either...)
	if err == nil && a.Deleting {
		return renga.App{}, notFound("app")
	}
	return a, err
}
