package apps

import (
	"encoding/json"
	"net/http"

	"renga/api/wire"
)

// The catalogue of add-ons is empty: no service can be provisioned yet. Lists
// are empty, and who asks for one thing is told in Heroku's words that it is
// not there, which the official CLI goes by.

func (s *Server) addOnRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/addons", wire.Reading, wire.ListNone),
		wire.Get("/users/{account}/addons", wire.Reading, listNoneOfCaller),
		wire.Get("/apps/{app}/addons", wire.Looking, s.listNoneOfApp),
		wire.Post("/apps/{app}/addons", wire.Operating, s.createAddOn),
		wire.Post("/actions/addons/resolve", wire.Writing, resolvesNone("add_on")),
		wire.Get("/addon-attachments", wire.Reading, wire.ListNone),
		wire.Get("/apps/{app}/addon-attachments", wire.Looking, s.listNoneOfApp),
		wire.Post("/actions/addon-attachments/resolve", wire.Writing, resolvesNone("add_on attachment")),
		wire.Get("/addon-services", wire.AnyToken, wire.ListNone),
		wire.Get("/addon-region-capabilities", wire.AnyToken, wire.ListNone),
		wire.Get("/regions/{region}/addon-region-capabilities", wire.AnyToken, listNoneOfRegion),
		wire.Get("/addons/{addon}", wire.Reading, wire.NoneOf("add-on", "add_on")),
		wire.Get("/apps/{app}/addons/{addon}", wire.Looking, s.noneOfApp("add-on", "add_on")),
		wire.Get(
			"/addon-attachments/{attachment}", wire.Reading, wire.NoneOf("add-on attachment", "add_on attachment"),
		),
		wire.Get(
			"/apps/{app}/addon-attachments/{attachment}", wire.Looking,
			s.noneOfApp("add-on attachment", "add_on attachment"),
		),
		wire.Get("/addon-services/{service}", wire.AnyToken, wire.NoneOf("add-on service", "addon_service")),
		wire.Get("/addon-services/{service}/plans", wire.AnyToken, wire.NoneOf("add-on service", "addon_service")),
		// Not in Heroku's schema, and what its CLI asks for in usage:addons.
		wire.Get("/apps/{app}/usage", wire.Looking, s.appUsage),
	}
}

// listNoneOfApp is listNone for what belongs to an app.
func (s *Server) listNoneOfApp(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.AppOf(r); err != nil {
		return err
	}
	return wire.ListNone(w, r)
}

func listNoneOfCaller(w http.ResponseWriter, r *http.Request) error {
	if err := wire.OwnAccount(r); err != nil {
		return err
	}
	return wire.ListNone(w, r)
}

func listNoneOfRegion(w http.ResponseWriter, r *http.Request) error {
	if err := knownRegion(r); err != nil {
		return err
	}
	return wire.ListNone(w, r)
}

// noneOfApp is noneOf for what belongs to an app.
func (s *Server) noneOfApp(name, resource string) wire.Handler {
	return func(_ http.ResponseWriter, r *http.Request) error {
		if _, err := s.AppOf(r); err != nil {
			return err
		}
		return wire.Missing(name, resource)
	}
}

// resolvesNone finds nothing of a name, as every name is unknown.
func resolvesNone(resource string) wire.Handler {
	return func(_ http.ResponseWriter, r *http.Request) error {
		var body struct{}
		if err := wire.Decode(r, &body); err != nil {
			return err
		}
		return wire.Missing("add-on", resource)
	}
}

// createAddOn refuses every plan. The official CLI goes by the beginning of the
// sentence.
func (s *Server) createAddOn(_ http.ResponseWriter, r *http.Request) error {
	if _, err := s.AppOf(r); err != nil {
		return err
	}
	var body struct {
		Plan planName `json:"plan"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if body.Plan == "" {
		return wire.Invalid("Field \"plan\" must name an add-on service or a plan of one.")
	}
	return wire.Invalid(
		"Couldn't find either the add-on service or the add-on plan of %q.", wire.Clip(string(body.Plan)),
	)
}

// planName is a plan as clients name it: "service:plan", or an object with that
// name in it.
type planName string

// UnmarshalJSON reads both forms.
func (p *planName) UnmarshalJSON(b []byte) error {
	var object struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(b, (*string)(p)) == nil {
		return nil
	}
	if err := json.Unmarshal(b, &object); err != nil {
		return wire.Invalid("Field \"plan\" must be a string or an object with a name.")
	}
	*p = planName(object.Name)
	return nil
}

// usage is what an app used of its add-ons.
type usage struct {
	AddOns []wire.Empty `json:"addons"`
}

func (s *Server) appUsage(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.AppOf(r); err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, usage{AddOns: []wire.Empty{}})
}
