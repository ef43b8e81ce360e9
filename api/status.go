package api

import (
	"net/http"

	"renga/api/wire"
)

// statusPath is where the official CLI asks for the platform's status. When it
// is not answered there, it asks somebody else's.
const statusPath = "/api/v4/current-status"

// platformStatus is the status page as JSON.
type platformStatus struct {
	Status    []systemStatus `json:"status"`
	Incidents []struct{}     `json:"incidents"`
	Scheduled []struct{}     `json:"scheduled"`
}

type systemStatus struct {
	System string `json:"system"`
	Status string `json:"status"` // green or red
}

// systems are Heroku's three, with the health checks that they depend on. Tools
// depend on none: they work if the API answers.
var systems = []struct {
	name   string
	checks []string
}{{"Apps", []string{"routes", "engine"}}, {"Data", []string{"redis", "disk"}}, {"Tools", nil}}

func (s *Server) status(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return wire.MethodNotAllowed(r.Method, http.MethodGet, http.MethodHead)
	}
	results := s.check(r.Context())
	page := platformStatus{Incidents: []struct{}{}, Scheduled: []struct{}{}}
	for _, system := range systems {
		colour := "green"
		for _, check := range system.checks {
			if results[check] != nil {
				colour = "red"
			}
		}
		page.Status = append(page.Status, systemStatus{system.name, colour})
	}
	return wire.Answer(w, http.StatusOK, page)
}
