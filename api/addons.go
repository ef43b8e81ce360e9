package api

import (
	"encoding/json"
	"net/http"
)

// The catalogue of add-ons is empty: no service can be provisioned yet. Lists
// are empty, and who asks for one thing is told in Heroku's words that it is
// not there, which the official CLI goes by.

func (s *Server) addOnRoutes() []Route {
	return []Route{
		Get("/addons", Reading, listNone),
		Get("/users/{account}/addons", Reading, listNoneOfCaller),
		Get("/apps/{app}/addons", Looking, s.listNoneOfApp),
		Post("/apps/{app}/addons", Operating, s.createAddOn),
		Post("/actions/addons/resolve", Writing, resolvesNone("add_on")),
		Get("/addon-attachments", Reading, listNone),
		Get("/apps/{app}/addon-attachments", Looking, s.listNoneOfApp),
		Post("/actions/addon-attachments/resolve", Writing, resolvesNone("add_on attachment")),
		Get("/addon-services", AnyToken, listNone),
		Get("/addon-region-capabilities", AnyToken, listNone),
		Get("/regions/{region}/addon-region-capabilities", AnyToken, listNoneOfRegion),
		Get("/addons/{addon}", Reading, noneOf("add-on", "add_on")),
		Get("/apps/{app}/addons/{addon}", Looking, s.noneOfApp("add-on", "add_on")),
		Get("/addon-attachments/{attachment}", Reading, noneOf("add-on attachment", "add_on attachment")),
		Get("/apps/{app}/addon-attachments/{attachment}", Looking, s.noneOfApp("add-on attachment", "add_on attachment")),
		Get("/addon-services/{service}", AnyToken, noneOf("add-on service", "addon_service")),
		Get("/addon-services/{service}/plans", AnyToken, noneOf("add-on service", "addon_service")),
		// Not in Heroku's schema, and what its CLI asks for in usage:addons.
		Get("/apps/{app}/usage", Looking, s.appUsage),
	}
}

// listNone answers a list of things that there are none of.
func listNone(w http.ResponseWriter, r *http.Request) error {
	nothing := func(empty) string { return "" }
	return list(w, r, []empty{}, by("id", nothing), by("name", nothing))
}

// listNoneOfApp is listNone for what belongs to an app.
func (s *Server) listNoneOfApp(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.AppOf(r); err != nil {
		return err
	}
	return listNone(w, r)
}

func listNoneOfCaller(w http.ResponseWriter, r *http.Request) error {
	if err := ownAccount(r); err != nil {
		return err
	}
	return listNone(w, r)
}

func listNoneOfRegion(w http.ResponseWriter, r *http.Request) error {
	if err := knownRegion(r); err != nil {
		return err
	}
	return listNone(w, r)
}

// noneOf answers that a thing is not there; resource is what clients compare.
func noneOf(name, resource string) Handler {
	return func(http.ResponseWriter, *http.Request) error { return missing(name, resource) }
}

// noneOfApp is noneOf for what belongs to an app.
func (s *Server) noneOfApp(name, resource string) Handler {
	return func(_ http.ResponseWriter, r *http.Request) error {
		if _, err := s.AppOf(r); err != nil {
			return err
		}
		return missing(name, resource)
	}
}

func missing(name, resource string) *problem {
	p := notFound(name)
	p.resource = resource
	return p
}

// resolvesNone finds nothing of a name, as every name is unknown.
func resolvesNone(resource string) Handler {
	return func(_ http.ResponseWriter, r *http.Request) error {
		var body struct{}
		if err := decode(r, &body); err != nil {
			return err
		}
		return missing("add-on", resource)
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
	if err := decode(r, &body); err != nil {
		return err
	}
	if body.Plan == "" {
		return invalid("Field \"plan\" must name an add-on service or a plan of one.")
	}
	return invalid("Couldn't find either the add-on service or the add-on plan of %q.", clip(string(body.Plan)))
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
		return invalid("Field \"plan\" must be a string or an object with a name.")
	}
	*p = planName(object.Name)
	return nil
}

// usage is what an app used of its add-ons.
type usage struct {
	AddOns []empty `json:"addons"`
}

func (s *Server) appUsage(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.AppOf(r); err != nil {
		return err
	}
	return answer(w, http.StatusOK, usage{AddOns: []empty{}})
}
