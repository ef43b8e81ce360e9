package apps

import (
	"net/http"

	"github.com/gorilla/mux"

	"renga/api/wire"
)

// The only region has the name of Heroku's first, because the CLI appends the names
// of all others to the names of apps.
const (
	regionName = "us"
	regionID   = "59accabd-516d-4f0e-83e6-6e3757701145"
	// createdAt is the creation time of regions and stacks in answers.
	createdAt = "2026-01-01T00:00:00Z"
)

func (s *Server) regionRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/regions", wire.AnyToken, listRegions),
		wire.Get("/regions/{region}", wire.AnyToken, regionInfo),
	}
}

// region is a region as JSON.
type region struct {
	Country        string         `json:"country"`
	CreatedAt      string         `json:"created_at"`
	Description    string         `json:"description"`
	ID             string         `json:"id"`
	Locale         string         `json:"locale"`
	Name           string         `json:"name"`
	PrivateCapable bool           `json:"private_capable"`
	Provider       regionProvider `json:"provider"`
	UpdatedAt      string         `json:"updated_at"`
}

type regionProvider struct {
	Name   string `json:"name"`
	Region string `json:"region"`
}

// ShowRegion gives the only region as JSON, for other families.
func ShowRegion() any { return newRegion() }

func regionRef() wire.Ref { return wire.Ref{ID: regionID, Name: regionName} }

// newRegion says as its provider what the schema lets be said: it knows those
// of Amazon only.
func newRegion() region {
	return region{
		Country: "Here", CreatedAt: createdAt, Description: "This platform", ID: regionID, Locale: "Here",
		Name: regionName, Provider: regionProvider{Name: "renga", Region: "us-east-1"}, UpdatedAt: createdAt,
	}
}

func listRegions(w http.ResponseWriter, r *http.Request) error {
	return wire.List(w, r, []region{newRegion()},
		wire.By("id", func(x region) string { return x.ID }),
		wire.By("name", func(x region) string { return x.Name }))
}

func regionInfo(w http.ResponseWriter, r *http.Request) error {
	if err := KnownRegion(r); err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newRegion())
}

// KnownRegion checks the region of the path, for other families too.
func KnownRegion(r *http.Request) error {
	if asked := mux.Vars(r)["region"]; asked != regionID && asked != regionName {
		return wire.NotFound("region")
	}
	return nil
}
