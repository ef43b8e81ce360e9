package wire

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"renga"
)

// Door stands before every family of resources: it finds out who calls, for which
// app, and whether they may.
type Door struct {
	Settings
	Parts
	// ending is closed when streams without an end must end.
	ending     chan struct{}
	endStreams sync.Once
}

// NewDoor makes a Door.
func NewDoor(s Settings, p Parts) *Door {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.RecheckPause == 0 {
		s.RecheckPause = recheckPause
	}
	return &Door{Settings: s, Parts: p, ending: make(chan struct{})}
}

// EndStreams ends the streams that would go on for ever, so that the server can
// end. Clients connect again, and say where they stopped.
func (d *Door) EndStreams() { d.endStreams.Do(func() { close(d.ending) }) }

// Ending is closed when streams must end.
func (d *Door) Ending() <-chan struct{} { return d.ending }

// enter answers a request that its route's policy allows. Only such a request may
// get an answer that was given before.
func (d *Door) enter(w http.ResponseWriter, r *http.Request, rt Route) error {
	if err := admitPartner(r, rt.policy); err != nil {
		return err
	}
	if err := admitRobot(r); err != nil {
		return err
	}
	if err := d.admitToken(r, rt.policy); err != nil {
		return err
	}
	refusal := d.admitToApp(r, rt.policy)
	p, err := newRepeatable(r)
	switch {
	case refusal != nil && p != nil:
		return d.lastAnswer(w, r, p, refusal)
	case refusal != nil:
		return refusal
	case err != nil:
		return err
	case p != nil:
		return d.actOnce(w, r, p, rt)
	}
	return rt.do(w, r)
}

// admitToken checks that the token's scopes include that of a policy.
func (d *Door) admitToken(r *http.Request, asked Policy) error {
	scope, _ := asked.Asks()
	if scope != "" && !InfoOf(r).Bearer.Authorization.Scopes.Allow(scope) {
		return renga.Errorf(renga.Forbidden,
			"The scope of this OAuth authorization does not allow access to this resource; it takes the scope %s.", scope)
	}
	return nil
}

// admitToApp checks that the caller has a policy's permission on the app of the
// path, and notes that app.
func (d *Door) admitToApp(r *http.Request, asked Policy) error {
	if len(asked.app) == 0 {
		return nil
	}
	a, err := d.allowedApp(r, mux.Vars(r)["app"], asked.app...)
	if err != nil {
		return err
	}
	v := InfoOf(r)
	v.Target, v.App = a, a.Name
	return nil
}

// AlsoRequire checks a second policy, when a handler finds that the request needs
// more than its route's policy.
func (d *Door) AlsoRequire(r *http.Request, asked Policy) error {
	if err := d.admitToken(r, asked); err != nil {
		return err
	}
	return InfoOf(r).Target.Permit(Caller(r).ID, asked.app...)
}

// allowedApp finds an app by its name or id, if the caller has one of the
// permissions. An app that is being deleted is found until nothing of it is left.
func (d *Door) allowedApp(r *http.Request, identity string, either ...renga.Permission) (renga.App, error) {
	a, err := d.FindApp(r.Context(), identity)
	if err != nil {
		return renga.App{}, OrNotFound(err, "app")
	}
	asked := a
	asked.Name = Clip(identity) // a caller who knows only its id does not learn its name
	if err := asked.Permit(Caller(r).ID, either...); err != nil {
		return renga.App{}, err
	}
	return a, nil
}

// FindApp finds an app by its name or id, without regard to the caller.
func (d *Door) FindApp(ctx context.Context, identity string) (renga.App, error) {
	if IsUUID(identity) {
		return d.Apps.App(ctx, renga.AppID(strings.ToLower(identity)))
	}
	if renga.ValidateAppName(identity) != nil { // no app can have this name
		return renga.App{}, NotFound("app")
	}
	return d.Apps.AppByName(ctx, identity)
}

// AppNamed finds the app that a body names, if the caller has one of the
// permissions.
func (d *Door) AppNamed(r *http.Request, identity string, either ...renga.Permission) (renga.App, error) {
	a, err := d.allowedApp(r, identity, either...)
	if err == nil && a.Deleting {
		return renga.App{}, NotFound("app")
	}
	return a, err
}

// AppOf gives the app of the path, for which the route's policy was checked. It
// does not find an app that is being deleted.
func (d *Door) AppOf(r *http.Request) (renga.App, error) {
	a := InfoOf(r).Target
	if a.ID == "" || a.Deleting {
		return renga.App{}, NotFound("app")
	}
	return a, nil
}

// SeenOf gives those of some apps that the caller may see: their own and those
// shared with them.
func (d *Door) SeenOf(r *http.Request, ids []renga.AppID) ([]renga.App, error) {
	apps, err := d.Apps.SomeApps(r.Context(), ids)
	var seen []renga.App
	for _, a := range apps {
		if !a.Deleting && a.Permit(Caller(r).ID, renga.MayView) == nil {
			seen = append(seen, a)
		}
	}
	return seen, err
}

// NewestOf gives the record of the app's newest release; nil if the app was deleted
// meanwhile.
func (d *Door) NewestOf(ctx context.Context, app renga.AppID) (*renga.ReleaseRecord, error) {
	all, err := d.Releases.Newest(ctx, []renga.AppID{app})
	if rec, ok := all[app]; ok {
		return &rec, err
	}
	return nil, err
}

// Audit logs a change: who did what to which app. Facts are names and numbers,
// never the values of config vars.
func (d *Door) Audit(r *http.Request, action, app string, facts ...any) {
	v := InfoOf(r)
	d.Log.With(facts...).Info("audit", "action", action, "app", app,
		"account", v.Bearer.Account.ID, "email", v.Bearer.Account.Email, "token", v.Bearer.Authorization.ID,
		"request", v.ID, "from", ClientAddress(r))
}
