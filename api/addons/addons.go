package addons

import (
	"cmp"
	"encoding/json"
	"net/http"
	"time"

	"renga"
	"renga/api/wire"
)

func (s *Server) addOnRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/addons", wire.Reading, s.listAll),
		wire.Get("/users/{account}/addons", wire.Reading, s.listOfCaller),
		wire.Get("/addons/{addon}", wire.Reading.OrPartner(), s.info),
		wire.Get("/apps/{app}/addons", wire.Looking, s.listOfApp),
		wire.Get("/apps/{app}/addons/{addon}", wire.Looking, s.info),
		wire.Post("/apps/{app}/addons", wire.Operating, s.create),
		wire.Patch("/apps/{app}/addons/{addon}", wire.Operating, s.update),
		wire.Delete("/apps/{app}/addons/{addon}", wire.Operating, s.destroy),
		// Heroku's CLI asks for this in usage:addons; the schema does not have it.
		wire.Get("/apps/{app}/usage", wire.Looking, s.appUsage),
	}
}

// list answers with the add-ons that the caller may see.
func (s *Server) list(w http.ResponseWriter, r *http.Request, all []renga.AddOn, v view) error {
	show := func(page []renga.AddOn) ([]addOn, error) {
		shown := make([]addOn, len(page))
		for i, a := range page {
			shown[i] = s.newAddOn(a, v.apps[a.App], askedBy(r))
		}
		return shown, nil
	}
	return wire.ListAs(w, r, all, show,
		wire.By("id", func(a renga.AddOn) string { return string(a.ID) }),
		wire.By("name", func(a renga.AddOn) string { return a.Name }),
		wire.ByTime("created_at", func(a renga.AddOn) (time.Time, string) { return a.CreatedAt, string(a.ID) }))
}

func (s *Server) listAll(w http.ResponseWriter, r *http.Request) error {
	all, v, err := s.seenOfAll(r)
	if err != nil {
		return err
	}
	return s.list(w, r, all, v)
}

func (s *Server) listOfCaller(w http.ResponseWriter, r *http.Request) error {
	if err := wire.OwnAccount(r); err != nil {
		return err
	}
	return s.listAll(w, r)
}

func (s *Server) listOfApp(w http.ResponseWriter, r *http.Request) error {
	app, err := s.AppOf(r)
	if err != nil {
		return err
	}
	all, v, err := s.seenOf(r, app.ID)
	if err != nil {
		return err
	}
	return s.list(w, r, all, v)
}

func (s *Server) info(w http.ResponseWriter, r *http.Request) error {
	a, v, err := s.addOnOf(r)
	if err != nil {
		return err
	}
	return s.answer(w, r, http.StatusOK, a, v)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, status int, a renga.AddOn, v view) error {
	return wire.Answer(w, status, s.newAddOn(a, v.apps[a.App], askedBy(r)))
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) error {
	app, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var body struct {
		Plan       identity `json:"plan"`
		Name       string   `json:"name"`
		Attachment struct {
			Name string `json:"name"`
		} `json:"attachment"`
		Config  options `json:"config"`
		Confirm string  `json:"confirm"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if body.Plan == "" {
		return wire.Invalid("Field \"plan\" must name an add-on service or a plan of one.")
	}
	plan, err := s.planAsked(string(body.Plan), "")
	if err != nil {
		return err
	}
	a, err := s.parts.Maker.Create(r.Context(), app, renga.AddOnRequest{
		Plan: plan, Name: body.Name, Attachment: body.Attachment.Name, Confirm: s.confirmed(body.Confirm, app),
		Options: body.Config,
	}, wire.Caller(r).ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Audit(r, "add-on created", app.Name, "add-on", a.Name, "plan", a.PlanName())
	return s.answer(w, r, http.StatusCreated, a, view{apps: map[renga.AppID]renga.App{app.ID: app}})
}

// confirmed gives the app's name if the confirmation is its id or its name.
func (s *Server) confirmed(confirm string, app renga.App) string {
	if confirm == string(app.ID) {
		return app.Name
	}
	return confirm
}

// planAsked gives the whole name of a plan. A body names it by its id, its whole
// name, its service alone, or its own name if the service is known.
func (s *Server) planAsked(identity, service string) (string, error) {
	for _, c := range s.parts.Catalogue.Services() {
		for _, p := range c.Plans {
			name := renga.PlanName(c.Name, p.Name)
			if identity == idOf("plan", name) || c.Name == service && identity == p.Name {
				return name, nil
			}
		}
	}
	c, p, err := s.parts.Catalogue.Plan(identity)
	return renga.PlanName(c.Name, p.Name), err
}

func (s *Server) update(w http.ResponseWriter, r *http.Request) error {
	a, _, err := s.own(r)
	if err != nil {
		return err
	}
	var body struct {
		Name *string  `json:"name"`
		Plan identity `json:"plan"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if body.Name != nil {
		if err := renga.ValidateAddOnName(*body.Name); err != nil {
			return err
		}
	}
	if body.Plan != "" {
		if err := s.changePlan(r, a, string(body.Plan)); err != nil {
			return err
		}
	}
	if body.Name != nil && *body.Name != a.Name {
		if err := s.parts.Maker.Rename(r.Context(), a.ID, *body.Name); err != nil {
			return s.orMissing(err)
		}
		s.Audit(r, "add-on renamed", wire.InfoOf(r).App, "add-on", a.Name, "to", *body.Name)
	}
	return s.answerNow(w, r, a)
}

func (s *Server) changePlan(r *http.Request, a renga.AddOn, asked string) error {
	plan, err := s.planAsked(asked, a.Service)
	if err != nil || plan == a.PlanName() {
		return err
	}
	if err := s.parts.Maker.ChangePlan(r.Context(), a.ID, plan, wire.Caller(r).ID); err != nil {
		return s.orMissing(err)
	}
	s.Audit(r, "add-on's plan changed", wire.InfoOf(r).App, "add-on", a.Name, "from", a.PlanName(), "to", plan)
	return nil
}

// orMissing gives Heroku's error for an add-on that was removed meanwhile.
func (s *Server) orMissing(err error) error {
	if renga.KindOf(err) == renga.NotFound && renga.MessageOf(err, "") == renga.MessageOf(missing(), "") {
		return missing()
	}
	return err
}

// answerNow answers with an add-on as it is now, or as removed if it is gone.
func (s *Server) answerNow(w http.ResponseWriter, r *http.Request, a renga.AddOn) error {
	now, err := s.parts.AddOns.AddOn(r.Context(), a.ID)
	switch renga.KindOf(err) {
	case "":
	case renga.NotFound:
		now = a
		now.State, now.Attachments = renga.Deprovisioned, nil
	default:
		return err
	}
	v, err := s.viewOf(r, now)
	if err != nil {
		return err
	}
	return s.answer(w, r, http.StatusOK, now, v)
}

func (s *Server) destroy(w http.ResponseWriter, r *http.Request) error {
	a, _, err := s.own(r)
	if err != nil {
		return err
	}
	var body struct {
		Force bool `json:"force"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if err := s.parts.Maker.Destroy(r.Context(), a.ID, body.Force, wire.Caller(r).ID); err != nil {
		return s.orMissing(err)
	}
	s.Audit(r, "add-on destroyed", wire.InfoOf(r).App, "add-on", a.Name, "plan", a.PlanName())
	return s.answerNow(w, r, a)
}

// usage is what an app used of its add-ons, which costs nothing.
type usage struct {
	AddOns []wire.Empty `json:"addons"`
}

func (s *Server) appUsage(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.AppOf(r); err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, usage{AddOns: []wire.Empty{}})
}

// identity is a plan, an add-on or an app in a body: a string, or an object with a
// name or an id.
type identity string

// UnmarshalJSON reads both forms.
func (i *identity) UnmarshalJSON(b []byte) error {
	var object struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	if json.Unmarshal(b, (*string)(i)) == nil {
		return nil
	}
	if err := json.Unmarshal(b, &object); err != nil {
		return wire.Invalid("Fields \"plan\", \"addon\" and \"app\" must be strings or objects with a name.")
	}
	*i = identity(cmp.Or(object.ID, object.Name))
	return nil
}

// options are the options for a new add-on. The CLI sends true for an option
// without a value.
type options map[string]string

// UnmarshalJSON reads strings and true.
func (o *options) UnmarshalJSON(b []byte) error {
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		return wire.Invalid("Field \"config\" must be an object.")
	}
	*o = options{}
	for name, value := range all {
		switch value := value.(type) {
		case string:
			(*o)[name] = value
		case bool:
			if value {
				(*o)[name] = "true"
			}
		default:
			return wire.Invalid("Option %q must be a string.", wire.Clip(name))
		}
	}
	return nil
}
