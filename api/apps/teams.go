package apps

import (
	"net/http"

	"renga/api/wire"
)

// There are no teams and no spaces: one platform is one organisation, and apps are
// shared with collaborators. Heroku's routes for apps of teams lead to apps here.

func (s *Server) teamRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/teams", wire.Reading, wire.ListNone),
		wire.Get("/spaces", wire.Reading, wire.ListNone),
		wire.Get("/spaces/{space}", wire.Reading, wire.NoneOf("space", "space")),
		wire.Post("/teams/apps", wire.Writing, s.createApp(asTeamApp)).Without("personal", "every app is somebody's own"),
		wire.Get("/teams/apps/{app}", wire.Looking, s.appInfo(asTeamApp)),
		wire.Patch("/teams/apps/{app}", wire.Operating, s.updateTeamApp),
		wire.Get("/teams/{team}", wire.Reading, wire.NoneOf("team", "team")),
		wire.Get("/teams/{team}/apps", wire.Reading, wire.NoneOf("team", "team")),
	}
}

// teamApp is an app as JSON in the form of team-app, with fewer fields, and two of
// its own.
type teamApp struct {
	ArchivedAt                   *string     `json:"archived_at"`
	BuildStack                   wire.Ref    `json:"build_stack"`
	BuildpackProvidedDescription *string     `json:"buildpack_provided_description"`
	CreatedAt                    string      `json:"created_at"`
	GitURL                       string      `json:"git_url"`
	ID                           string      `json:"id"`
	InternalRouting              *bool       `json:"internal_routing"`
	Joined                       bool        `json:"joined"`
	Locked                       bool        `json:"locked"`
	Maintenance                  bool        `json:"maintenance"`
	Name                         string      `json:"name"`
	Owner                        wire.Person `json:"owner"`
	Region                       wire.Ref    `json:"region"`
	ReleasedAt                   *string     `json:"released_at"`
	RepoSize                     *int64      `json:"repo_size"`
	SlugSize                     *int64      `json:"slug_size"`
	Space                        *wire.Ref   `json:"space"`
	Stack                        wire.Ref    `json:"stack"`
	Team                         *wire.Ref   `json:"team"`
	UpdatedAt                    string      `json:"updated_at"`
	WebURL                       string      `json:"web_url"`
}

func asTeamApp(a app) any { return newTeamApp(a) }

// newTeamApp makes JSON of an app. The caller has joined it, and it is never
// locked.
func newTeamApp(a app) teamApp {
	return teamApp{
		ArchivedAt: a.ArchivedAt, BuildStack: a.BuildStack,
		BuildpackProvidedDescription: a.BuildpackProvidedDescription,
		CreatedAt:                    a.CreatedAt, GitURL: a.GitURL, ID: a.ID, InternalRouting: a.InternalRouting,
		Joined:      true,
		Maintenance: a.Maintenance, Name: a.Name, Owner: a.Owner, Region: a.Region, ReleasedAt: a.ReleasedAt,
		RepoSize: a.RepoSize, SlugSize: a.SlugSize, Space: a.Space, Stack: a.Stack, Team: a.Team,
		UpdatedAt: a.UpdatedAt, WebURL: a.WebURL,
	}
}

// updateTeamApp accepts that an app stays unlocked, and nothing else.
func (s *Server) updateTeamApp(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var body struct {
		Locked bool    `json:"locked"`
		Owner  *string `json:"owner"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if body.Locked {
		return wire.Invalid("Only an app of a team can be locked, and there are no teams here; remove its " +
			"collaborators instead.")
	}
	if body.Owner != nil {
		return wire.Invalid("There are no teams here that an app could be transferred from or to.")
	}
	return s.reply(w, r, http.StatusOK, a, asTeamApp)
}
