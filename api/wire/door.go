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

// Door is what every family of resources stands behind: it knows who asks, for
// which app, and whether they may.
type Door struct {
	Settings
	Parts
	// ending is closed when streams that go on for ever are to end.
	ending     chan struct{}
	endStreams sync.Once
}

// NewDoor makes a Door.
func NewDoor(s Settings, p Parts) *Door {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.LookAgain == 0 {
		s.LookAgain = lookAgain
	}
	return &Door{Settings: s, Parts: p, ending: make(chan struct{})}
}

// EndStreams ends the streams that would go on for ever, so that the server can
// end. Clients connect again, and say where they were.
func (d *Door) EndStreams() { d.endStreams.Do(func() { close(d.ending) }) }

// Ending is closed when they are to end.
func (d *Door) Ending() <-chan struct{} { return d.ending }

// enter lets a request through that has what its route asks for. Only then its
// answer may be one that was given before.
func (d *Door) enter(w http.ResponseWriter, r *http.Request, rt Route) error {
	if err := d.admitToken(r, rt.policy); err != nil {
		return err
	}
	barred := d.admitToApp(r, rt.policy)
	p, err := newRepeatable(r)
	switch {
	case barred != nil && p != nil:
		return d.lastAnswer(w, r, p, barred)
	case barred != nil:
		return barred
	case err != nil:
		return err
	case p != nil:
		return d.actOnce(w, r, p, rt)
	}
	return rt.do(w, r)
}

// admitToken asks whether the token goes as far as what is asked for.
func (d *Door) admitToken(r *http.Request, asked Policy) error {
	scope, _ := asked.Asks()
	if scope != "" && !InfoOf(r).Bearer.Authorization.Scopes.Allow(scope) {
		return renga.Errorf(renga.Forbidden,
			"The scope of this OAuth authorization does not allow access to this resource; it takes the scope %s.", scope)
	}
	return nil
}

// admitToApp asks whether the caller may do what is asked for with the app of
// the path, and notes which one that is.
func (d *Door) admitToApp(r *http.Request, asked Policy) error {
	if len(asked.app) == 0 {
		return nil
	}
	a, err := d.reach(r, mux.Vars(r)["app"], asked.app...)
	if err != nil {
		return err
	}
	v := InfoOf(r)
	v.Target, v.App = a, a.Name
	return nil
}

// Also asks the caller for more than the route of the request did, as it becomes
// known what is to be done with its app.
func (d *Door) Also(r *http.Request, asked Policy) error {
	if err := d.admitToken(r, asked); err != nil {
		return err
	}
	return InfoOf(r).Target.Permit(Caller(r).ID, asked.app...)
}

// reach finds an app by name or id, if the caller may do one of those things
// with it. It is there until nothing of it is left.
func (d *Door) reach(r *http.Request, identity string, either ...renga.Permission) (renga.App, error) {
	a, err := d.FindApp(r.Context(), identity)
	if err != nil {
		return renga.App{}, OrNotFound(err, "app")
	}
	asked := a
	asked.Name = Clip(identity) // who knows only its id is not told its name
	if err := asked.Permit(Caller(r).ID, either...); err != nil {
		return renga.App{}, err
	}
	return a, nil
}

// FindApp finds an app by its name or id, whoever asks.
func (d *Door) FindApp(ctx context.Context, identity string) (renga.App, error) {
	if IsUUID(identity) {
		return d.Apps.App(ctx, renga.AppID(strings.ToLower(identity)))
	}
	if renga.ValidateAppName(identity) != nil { // no app can have it
		return renga.App{}, NotFound("app")
	}
	return d.Apps.AppByName(ctx, identity)
}

// AppNamed finds the app that a body names, if the caller may do one of those
// things with it.
func (d *Door) AppNamed(r *http.Request, identity string, either ...renga.Permission) (renga.App, error) {
	a, err := d.reach(r, identity, either...)
	if err == nil && a.Deleting {
		return renga.App{}, NotFound("app")
	}
	return a, err
}

// AppOf is the app of the path, which its policy has let the caller have. One
// that is being deleted is there no more.
func (d *Door) AppOf(r *http.Request) (renga.App, error) {
	a := InfoOf(r).Target
	if a.ID == "" || a.Deleting {
		return renga.App{}, NotFound("app")
	}
	return a, nil
}

// SeenOf are those of some apps that the caller may see: their own and those
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

// NewestOf is the record of the app's newest release; nil when the app is going
// while we look.
func (d *Door) NewestOf(ctx context.Context, app renga.AppID) (*renga.ReleaseRecord, error) {
	all, err := d.Releases.Newest(ctx, []renga.AppID{app})
	if rec, ok := all[app]; ok {
		return &rec, err
	}
	return nil, err
}

// Audit writes the line of a change: who did what to which app. Facts are
// names and numbers, never the values of config vars.
func (d *Door) Audit(r *http.Request, action, app string, facts ...any) {
	v := InfoOf(r)
	d.Log.With(facts...).Info("audit", "action", action, "app", app,
		"account", v.Bearer.Account.ID, "email", v.Bearer.Account.Email, "token", v.Bearer.Authorization.ID,
		"request", v.ID, "from", From(r))
}
