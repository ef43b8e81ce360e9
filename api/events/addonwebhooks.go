package events

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// AddOns knows the add-ons; what is not there is NotFound.
type AddOns interface {
	AddOn(ctx context.Context, id renga.AddOnID) (renga.AddOn, error)
	AddOnByName(ctx context.Context, name string) (renga.AddOn, error)
}

// partners is the policy of what a partner is told of its add-on's app. Whoever
// operates that app may see and end it.
var partners = wire.OnToken(renga.ScopeWriteProtected).OrPartner()

// owner is whose webhooks a request is about: those of an app's people, or those of
// the partner of one of its add-ons.
type owner struct {
	renga.App
	addOn    renga.AddOn // of no id for an app's
	platform bool        // the operator's, for the content of all apps
}

// ownerOf finds out whose webhooks the path names.
func (s *Server) ownerOf(r *http.Request) (owner, error) {
	if strings.HasPrefix(r.URL.Path, "/platform/") {
		if wire.Caller(r).ID != s.parts.Operator {
			return owner{}, renga.Errorf(renga.Forbidden, "Only the platform's operator may do that.")
		}
		return owner{App: renga.App{ID: renga.PlatformWebhooks}, platform: true}, nil
	}
	identity, named := mux.Vars(r)["addon"]
	if !named {
		a, err := s.AppOf(r)
		return owner{App: a}, err
	}
	var o owner
	err := error(wire.Missing("add-on", "add_on"))
	switch {
	case wire.IsUUID(identity):
		o.addOn, err = s.parts.AddOns.AddOn(r.Context(), renga.AddOnID(strings.ToLower(identity)))
	case renga.ValidateAddOnName(identity) == nil:
		o.addOn, err = s.parts.AddOns.AddOnByName(r.Context(), identity)
	}
	if err == nil {
		o.App, err = s.Apps.App(r.Context(), o.addOn.App)
	}
	strange := err == nil && (o.Deleting || !partnerOf(r, o) && o.Permit(wire.Caller(r).ID, renga.MayView) != nil)
	if renga.KindOf(err) == renga.NotFound || strange {
		return owner{}, wire.Missing("add-on", "add_on")
	}
	if err == nil && !partnerOf(r, o) {
		err = o.Permit(wire.Caller(r).ID, renga.MayOperate)
	}
	return o, err
}

func partnerOf(r *http.Request, o owner) bool {
	own, is := wire.PartnerOf(r)
	return is && own == o.addOn.ID
}

// refs are what a webhook is shown to belong to.
func (o owner) refs() (app, addOn *wire.Ref) {
	switch {
	case o.platform:
		return nil, nil
	case o.addOn.ID != "":
		return nil, &wire.Ref{ID: string(o.addOn.ID), Name: o.addOn.Name}
	}
	ref := wire.AppRef(o.App)
	return &ref, nil
}

// kinds are what its webhooks may be told of. A partner is not told what is pushed and
// pulled, from where and by whom.
func (o owner) kinds() []renga.EventKind {
	switch {
	case o.platform:
		return renga.PlatformKinds
	case o.addOn.ID != "":
		return slices.DeleteFunc(slices.Clone(renga.EventKinds), func(k renga.EventKind) bool {
			return slices.Contains(renga.RegistryKinds, k)
		})
	}
	return renga.EventKinds
}

// owns tells whether a webhook is one of them.
func (o owner) owns(hook renga.Webhook) bool { return hook.AddOn == o.addOn.ID }

// count is how many of an app's webhooks are.
func (o owner) count(hooks map[string]renga.Webhook) int {
	n := 0
	for hook := range maps.Values(hooks) {
		if o.owns(hook) {
			n++
		}
	}
	return n
}

// webhooksOf reads the webhooks of the path's app or add-on.
func (s *Server) webhooksOf(r *http.Request) (owner, []renga.Webhook, error) {
	o, err := s.ownerOf(r)
	if err != nil {
		return o, nil, err
	}
	all, err := s.parts.Webhooks.Webhooks(r.Context(), o.ID)
	own := slices.DeleteFunc(all, func(hook renga.Webhook) bool { return !o.owns(hook) })
	return o, own, wire.OrNotFound(err, "app")
}

// deliveriesOf reads what is delivered to them. What went to a webhook that is gone
// is the app's.
func (s *Server) deliveriesOf(r *http.Request) (owner, []renga.Delivery, error) {
	o, err := s.ownerOf(r)
	if err != nil {
		return o, nil, err
	}
	hooks, err := s.parts.Webhooks.Webhooks(r.Context(), o.ID)
	if err != nil {
		return o, nil, wire.OrNotFound(err, "app")
	}
	told := map[string]renga.Webhook{}
	for _, hook := range hooks {
		told[hook.ID] = hook
	}
	all, err := s.parts.Webhooks.Deliveries(r.Context(), o.ID)
	all = slices.DeleteFunc(all, func(d renga.Delivery) bool { return !o.owns(told[d.Webhook]) })
	return o, all, wire.OrNotFound(err, "app")
}

// toldOf are the events of the app that a partner was told of; whoever views the
// app sees all.
func (s *Server) toldOf(r *http.Request) ([]renga.Event, error) {
	o, deliveries, err := s.deliveriesOf(r)
	if err != nil {
		return nil, err
	}
	all, err := s.parts.Webhooks.Events(r.Context(), o.ID)
	if o.addOn.ID != "" {
		told := map[string]bool{}
		for _, d := range deliveries {
			told[d.Event] = true
		}
		all = slices.DeleteFunc(all, func(e renga.Event) bool { return !told[e.ID] })
	}
	return all, wire.OrNotFound(err, "app")
}
