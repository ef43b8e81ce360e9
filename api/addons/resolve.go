package addons

import (
	"net/http"
	"slices"
	"strings"

	"renga"
	"renga/api/wire"
)

// The official CLI accepts many names for an add-on, and lets the platform find out
// which one is meant: by id, by name, by the name of its attachment to the app, by
// one of its config vars, or by its service. The answer is a list, and the CLI asks
// the user if it has several.

func (s *Server) resolveRoutes() []wire.Route {
	return []wire.Route{
		wire.Post("/actions/addons/resolve", wire.Reading, s.resolveAddOn),
		wire.Post("/actions/addon-attachments/resolve", wire.Reading, s.resolveAttachment),
	}
}

// scope is where names are resolved: in one app, or in all that the caller may see.
func (s *Server) scope(r *http.Request, app string) ([]renga.AddOn, view, *renga.App, error) {
	if app == "" {
		all, v, err := s.seenOfAll(r)
		return all, v, nil, err
	}
	a, err := s.AppNamed(r, app, renga.MayView)
	if err != nil {
		return nil, view{}, nil, err
	}
	all, v, err := s.seenOf(r, a.ID)
	return all, v, &a, err
}

// inApp reads "app::name".
func inApp(name, app string) (string, string) {
	if before, after, found := strings.Cut(name, "::"); found {
		return after, before
	}
	return name, app
}

func (s *Server) resolveAddOn(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		AddOn   string `json:"addon"`
		App     string `json:"app"`
		Service string `json:"addon_service"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	name, in := inApp(body.AddOn, body.App)
	all, v, app, err := s.scope(r, in)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(a renga.AddOn) bool { return body.Service != "" && a.Service != body.Service })
	found := firstOf(
		keep(all, func(a renga.AddOn) bool { return named(a, name) }),
		keep(all, func(a renga.AddOn) bool {
			return slices.ContainsFunc(v.attachments(a), func(at renga.Attachment) bool {
				return (app == nil || at.App == app.ID) && s.called(attached{at, a}, name)
			})
		}),
		keep(all, func(a renga.AddOn) bool { return s.isOf(a, name) }),
	)
	if len(found) == 0 {
		return missing()
	}
	shown := make([]addOn, len(found))
	for i, a := range found {
		shown[i] = s.newAddOn(a, v.apps[a.App], askedBy(r))
	}
	return wire.Answer(w, http.StatusOK, shown)
}

func (s *Server) resolveAttachment(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Attachment string `json:"addon_attachment"`
		App        string `json:"app"`
		Service    string `json:"addon_service"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	name, in := inApp(body.Attachment, body.App)
	addOns, v, app, err := s.scope(r, in)
	if err != nil {
		return err
	}
	all := keep(v.attachmentsIn(addOns), func(at attached) bool {
		return (app == nil || at.App == app.ID) && (body.Service == "" || at.of.Service == body.Service)
	})
	found := firstOf(
		keep(all, func(at attached) bool { return s.called(at, name) }),
		keep(all, func(at attached) bool { return named(at.of, name) }),
		keep(all, func(at attached) bool { return s.isOf(at.of, name) }),
	)
	if len(found) == 0 {
		return missingAttachment()
	}
	return wire.Answer(w, http.StatusOK, s.showAttachments(r, found, v))
}

// named tells whether an add-on has that id or name.
func named(a renga.AddOn, name string) bool {
	return a.Name == name || strings.EqualFold(string(a.ID), name)
}

// called tells whether an attachment has that id or name, or gives a config var of
// that name.
func (s *Server) called(at attached, name string) bool {
	return strings.EqualFold(at.ID, name) || strings.EqualFold(at.Name, name) ||
		slices.Contains(s.configVars(at.of, at.Attachment), strings.ToUpper(name))
}

// isOf tells whether an add-on is one of that service or plan.
func (s *Server) isOf(a renga.AddOn, name string) bool {
	if a.Service == name || a.PlanName() == name {
		return true
	}
	c, err := s.serviceNamed(name)
	return err == nil && c.Name == a.Service
}

func keep[T any](all []T, wanted func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(all), func(x T) bool { return !wanted(x) })
}

// firstOf gives the first of the lists that is not empty.
func firstOf[T any](lists ...[]T) []T {
	for _, list := range lists {
		if len(list) > 0 {
			return list
		}
	}
	return nil
}
