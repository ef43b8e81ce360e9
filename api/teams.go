package api

import (
	"net/http"

	"renga"
)

// There are no teams and no spaces: one platform is one organisation, and
// collaborators share apps. What Heroku's API reaches by way of a team's app is
// the app.

func (s *Server) teamRoutes() []Route {
	return []Route{
		Get("/teams", Reading, listNone),
		Get("/spaces", Reading, listNone),
		Get("/spaces/{space}", Reading, noneOf("space", "space")),
		Post("/teams/apps", Writing, s.createTeamApp).Without("personal", "every app is somebody's own"),
		Get("/teams/apps/{app}", Looking, s.teamAppInfo),
		Patch("/teams/apps/{app}", Operating, s.updateTeamApp),
		Get("/teams/{team}", Reading, noneOf("team", "team")),
		Get("/teams/{team}/apps", Reading, noneOf("team", "team")),
	}
}

// teamApp is an app on the wire as teams see it: fewer of its fields, and two
// of its own.
type teamApp struct {
	ArchivedAt                   *string `json:"archived_at"`
	BuildStack                   ref     `json:"build_stack"`
	BuildpackProvidedDescription *string `json:"buildpack_provided_description"`
	CreatedAt                    string  `json:"created_at"`
	GitURL                       string  `json:"git_url"`
	ID                           string  `json:"id"`
	InternalRouting              *bool   `json:"internal_routing"`
	Joined                       bool    `json:"joined"`
	Locked                       bool    `json:"locked"`
	Maintenance                  bool    `json:"maintenance"`
	Name                         string  `json:"name"`
	Owner                        person  `json:"owner"`
	Region                       ref     `json:"region"`
	ReleasedAt                   *string `json:"released_at"`
	RepoSize                     *int64  `json:"repo_size"`
	SlugSize                     *int64  `json:"slug_size"`
	Space                        *ref    `json:"space"`
	Stack                        ref     `json:"stack"`
	Team                         *ref    `json:"team"`
	UpdatedAt                    string  `json:"updated_at"`
	WebURL                       string  `json:"web_url"`
}

// newTeamApp is an app whose reader has joined it and that nobody locks.
func newTeamApp(a app) teamApp {
	return teamApp{
		ArchivedAt: a.ArchivedAt, BuildStack: a.BuildStack, BuildpackProvidedDescription: a.BuildpackProvidedDescription,
		CreatedAt: a.CreatedAt, GitURL: a.GitURL, ID: a.ID, InternalRouting: a.InternalRouting, Joined: true,
		Maintenance: a.Maintenance, Name: a.Name, Owner: a.Owner, Region: a.Region, ReleasedAt: a.ReleasedAt,
		RepoSize: a.RepoSize, SlugSize: a.SlugSize, Space: a.Space, Stack: a.Stack, Team: a.Team,
		UpdatedAt: a.UpdatedAt, WebURL: a.WebURL,
	}
}

func (s *Server) replyTeamApp(w http.ResponseWriter, r *http.Request, status int, a renga.App) error {
	shown, err := s.showApp(r.Context(), a)
	if err != nil {
		return err
	}
	return answer(w, status, newTeamApp(shown))
}

func (s *Server) createTeamApp(w http.ResponseWriter, r *http.Request) error {
	a, err := s.makeApp(r)
	if err != nil {
		return err
	}
	return s.replyTeamApp(w, r, http.StatusCreated, a)
}

func (s *Server) teamAppInfo(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	return s.replyTeamApp(w, r, http.StatusOK, a)
}

// updateTeamApp can leave an app unlocked, which it is.
func (s *Server) updateTeamApp(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var body struct {
		Locked bool    `json:"locked"`
		Owner  *string `json:"owner"`
	}
	if err := decode(r, &body); err != nil {
		return err
	}
	if body.Locked {
		return invalid("Only an app of a team can be locked, and there are no teams here; remove its collaborators instead.")
	}
	if body.Owner != nil {
		return invalid("There are no teams here that an app could be transferred from or to.")
	}
	return s.replyTeamApp(w, r, http.StatusOK, a)
}
