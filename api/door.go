package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"renga"
)

// Settings are the platform's as far as every family of resources knows them.
type Settings struct {
	// Domain is the platform's, without port. Apps answer below it.
	Domain string
	// Scheme and Port complete apps' URLs. An empty Port is left out.
	Scheme, Port string
	// StreamKey signs the URLs of streams, which are secrets by themselves.
	StreamKey []byte
	Log       *slog.Logger
	Now       func() time.Time // the clock; nil for the real one
	// LookAgain is how often is asked whether the right to a stream is there
	// still; 0 for every five seconds.
	LookAgain time.Duration
	// WarnOfAll warns clients of the fields too that a route does without. Tests
	// see by it that it does.
	WarnOfAll bool
}

// DoorParts are who the door asks, and who is told of what goes on behind it.
type DoorParts struct {
	Tokens         Tokens
	Logins         DoorLogins
	Authorizations DoorAuthorizations
	Accounts       DoorAccounts
	Apps           DoorApps
	Releases       DoorReleases
	Repeats        Repeats
	Lines          Lines
	Waker          Waker
}

// DoorLogins lets people in.
type DoorLogins interface {
	// Login is the account of that email and password, asked for from an address.
	// Unauthorized when they do not match, TooMany when that was so too often.
	Login(ctx context.Context, email, password, from string) (renga.Account, error)
}

// DoorAuthorizations knows the authorizations of accounts.
type DoorAuthorizations interface {
	// Authorizations lists those that are not over, oldest first.
	Authorizations(ctx context.Context, account renga.AccountID) ([]renga.Authorization, error)
}

// DoorAccounts knows the accounts.
type DoorAccounts interface {
	// Account is NotFound for an id that nobody has.
	Account(ctx context.Context, id renga.AccountID) (renga.Account, error)
	// AccountByEmail is NotFound for an email that nobody has, in any case.
	AccountByEmail(ctx context.Context, email string) (renga.Account, error)
}

// DoorApps knows the apps.
type DoorApps interface {
	// App and AppByName are NotFound where there is none. An app that is being
	// deleted is still there.
	App(ctx context.Context, id renga.AppID) (renga.App, error)
	AppByName(ctx context.Context, name string) (renga.App, error)
	// AppIDs are those of all apps; SomeApps leaves out those that are not there.
	AppIDs(ctx context.Context) ([]renga.AppID, error)
	SomeApps(ctx context.Context, ids []renga.AppID) ([]renga.App, error)
}

// DoorReleases knows the newest releases.
type DoorReleases interface {
	// Newest leaves out apps that are gone.
	Newest(ctx context.Context, apps []renga.AppID) (map[renga.AppID]renga.ReleaseRecord, error)
}

// Lines takes what people do to an app, for its log.
type Lines interface {
	// Did notes what an account did, such as "Scaled to web@2:Standard-1X".
	Did(ctx context.Context, app renga.AppID, by renga.AccountID, what string)
}

// Waker is told when an app should be looked at.
type Waker interface {
	Wake(app renga.AppID)
}

// Door is what every family of resources stands behind: it knows who asks, for
// which app, and whether they may.
type Door struct {
	Settings
	DoorParts
	// ending is closed when streams that go on for ever are to end.
	ending     chan struct{}
	endStreams sync.Once
}

// NewDoor makes a Door.
func NewDoor(s Settings, p DoorParts) *Door {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.LookAgain == 0 {
		s.LookAgain = lookAgain
	}
	return &Door{Settings: s, DoorParts: p, ending: make(chan struct{})}
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
	if scope != "" && !visitOf(r).bearer.Authorization.Scopes.Allow(scope) {
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
	v := visitOf(r)
	v.target, v.app = a, a.Name
	return nil
}

// Also asks the caller for more than the route of the request did, as it becomes
// known what is to be done with its app.
func (d *Door) Also(r *http.Request, asked Policy) error {
	if err := d.admitToken(r, asked); err != nil {
		return err
	}
	return visitOf(r).target.Permit(caller(r).ID, asked.app...)
}

// reach finds an app by name or id, if the caller may do one of those things
// with it. It is there until nothing of it is left.
func (d *Door) reach(r *http.Request, identity string, either ...renga.Permission) (renga.App, error) {
	a, err := d.findApp(r.Context(), identity)
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

func (d *Door) findApp(ctx context.Context, identity string) (renga.App, error) {
	if isUUID(identity) {
		return d.Apps.App(ctx, renga.AppID(strings.ToLower(identity)))
	}
	if renga.ValidateAppName(identity) != nil { // no app can have it
		return renga.App{}, notFound("app")
	}
	return d.Apps.AppByName(ctx, identity)
}

// AppNamed finds the app that a body names, if the caller may do one of those
// things with it.
func (d *Door) AppNamed(r *http.Request, identity string, either ...renga.Permission) (renga.App, error) {
	a, err := d.reach(r, identity, either...)
	if err == nil && a.Deleting {
		return renga.App{}, notFound("app")
	}
	return a, err
}

// AppOf is the app of the path, which its policy has let the caller have. One
// that is being deleted is there no more.
func (d *Door) AppOf(r *http.Request) (renga.App, error) {
	a := visitOf(r).target
	if a.ID == "" || a.Deleting {
		return renga.App{}, notFound("app")
	}
	return a, nil
}

// SeenOf are those of some apps that the caller may see: their own and those
// shared with them.
func (d *Door) SeenOf(r *http.Request, ids []renga.AppID) ([]renga.App, error) {
	apps, err := d.Apps.SomeApps(r.Context(), ids)
	var seen []renga.App
	for _, a := range apps {
		if !a.Deleting && a.Permit(caller(r).ID, renga.MayView) == nil {
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
	v := visitOf(r)
	d.Log.With(facts...).Info("audit", "action", action, "app", app,
		"account", v.bearer.Account.ID, "email", v.bearer.Account.Email, "token", v.bearer.Authorization.ID,
		"request", v.id, "from", from(r))
}
