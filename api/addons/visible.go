package addons

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// An add-on is seen by those who may view an app that it was made for or that has
// it attached. To others it is not there. Who sees it by the second way sees of
// its attachments only those to apps that they may view.

// view is some add-ons' apps as the caller sees them.
type view struct {
	apps map[renga.AppID]renga.App // all of them, for an add-on names its app to whoever sees it
	seen map[renga.AppID]bool
}

func (s *Server) viewOf(r *http.Request, all ...renga.AddOn) (view, error) {
	var ids []renga.AppID
	for _, a := range all {
		ids = append(ids, a.App)
		ids = append(ids, a.Apps()...)
	}
	slices.Sort(ids)
	apps, err := s.Apps.SomeApps(r.Context(), slices.Compact(ids))
	v := view{apps: map[renga.AppID]renga.App{}, seen: map[renga.AppID]bool{}}
	for _, a := range apps {
		v.apps[a.ID] = a
		v.seen[a.ID] = !a.Deleting && a.Permit(wire.Caller(r).ID, renga.MayView) == nil
	}
	own, _ := wire.PartnerOf(r)
	for _, a := range all {
		v.seen[a.App] = v.seen[a.App] || a.ID == own
	}
	return v, err
}

func (v view) sees(a renga.AddOn) bool {
	return v.seen[a.App] || slices.ContainsFunc(a.Attachments, func(at renga.Attachment) bool {
		return !at.Leaving && v.seen[at.App]
	})
}

// attachments are those of an add-on that the caller sees.
func (v view) attachments(a renga.AddOn) []renga.Attachment {
	return slices.DeleteFunc(slices.Clone(a.Attachments), func(at renga.Attachment) bool {
		return at.Leaving || !v.seen[at.App] && !v.seen[a.App]
	})
}

// seenOf are the add-ons of apps that the caller sees, those left out that are
// gone and only remembered.
func (s *Server) seenOf(r *http.Request, apps ...renga.AppID) ([]renga.AddOn, view, error) {
	all, err := s.parts.AddOns.AddOnsOfApps(r.Context(), apps)
	if err != nil {
		return nil, view{}, err
	}
	v, err := s.viewOf(r, all...)
	all = slices.DeleteFunc(all, func(a renga.AddOn) bool { return !v.sees(a) || a.State == renga.Deprovisioned })
	return all, v, err
}

// seenOfAll are all add-ons that the caller sees.
func (s *Server) seenOfAll(r *http.Request) ([]renga.AddOn, view, error) {
	ids, err := s.Apps.AppIDs(r.Context())
	if err != nil {
		return nil, view{}, err
	}
	apps, err := s.SeenOf(r, ids)
	if err != nil {
		return nil, view{}, err
	}
	ids = ids[:0]
	for _, a := range apps {
		ids = append(ids, a.ID)
	}
	return s.seenOf(r, ids...)
}

func missing() error { return wire.Missing("add-on", "add_on") }

// addOnOf is the add-on of the path, by id or name, if the caller sees it; of the
// path's app if that names one. If rights are named, the caller must have one of them on
// the app that the add-on was made for.
func (s *Server) addOnOf(r *http.Request, either ...renga.Permission) (renga.AddOn, view, error) {
	a, v, err := s.addOnNamed(r, mux.Vars(r)["addon"])
	if err == nil && mux.Vars(r)["app"] != "" {
		var app renga.App
		app, err = s.AppOf(r)
		if err == nil && app.ID != a.App && !a.AttachedTo(app.ID) {
			err = missing()
		}
	}
	if err == nil && len(either) > 0 {
		err = v.permit(r, a, either...)
	}
	return a, v, err
}

// addOnNamed finds an add-on by id or name, if the caller sees it.
func (s *Server) addOnNamed(r *http.Request, identity string) (renga.AddOn, view, error) {
	var a renga.AddOn
	var err error
	switch {
	case wire.IsUUID(identity):
		a, err = s.parts.AddOns.AddOn(r.Context(), renga.AddOnID(strings.ToLower(identity)))
	case renga.ValidateAddOnName(identity) == nil:
		a, err = s.parts.AddOns.AddOnByName(r.Context(), identity)
	default:
		err = missing() // none can have it
	}
	if renga.KindOf(err) == renga.NotFound {
		err = missing()
	}
	if err != nil {
		return a, view{}, err
	}
	v, err := s.viewOf(r, a)
	if err == nil && !v.sees(a) {
		err = missing()
	}
	return a, v, err
}

// NameOf is the name of an add-on, for other families; empty for one that is gone.
func (s *Server) NameOf(ctx context.Context, id renga.AddOnID) (string, error) {
	a, err := s.parts.AddOns.AddOn(ctx, id)
	if renga.KindOf(err) == renga.NotFound {
		return "", nil
	}
	return a.Name, err
}

// own is the add-on of the path, which must have been made for the path's app:
// whoever changes it may operate that one.
func (s *Server) own(r *http.Request) (renga.AddOn, view, error) {
	a, v, err := s.addOnOf(r)
	if err == nil && a.App != wire.InfoOf(r).Target.ID {
		err = wire.Invalid("The add-on %s belongs to the app %s; name that app to change it.", a.Name, v.apps[a.App].Name)
	}
	return a, v, err
}

// permit asks whether the caller may do one of those things with the app that an
// add-on was made for.
func (v view) permit(r *http.Request, a renga.AddOn, either ...renga.Permission) error {
	app, there := v.apps[a.App]
	if !there || app.Deleting {
		return missing()
	}
	return app.Permit(wire.Caller(r).ID, either...)
}
