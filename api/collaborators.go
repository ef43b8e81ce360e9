package api

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
)

func (s *Server) collaboratorRoutes() []Route {
	return []Route{
		Get("/apps/{app}/collaborators", Looking, s.listCollaborators),
		Post("/apps/{app}/collaborators", OnApp(renga.ScopeGlobal, renga.MayManage), s.addCollaborator).
			Without("silent", "nobody is told by mail of anything"),
		Get("/apps/{app}/collaborators/{collaborator}", Looking, s.collaboratorInfo),
		Delete("/apps/{app}/collaborators/{collaborator}", OnApp(renga.ScopeWrite, renga.MayView), s.removeCollaborator),
	}
}

// collaborator is somebody who has access to an app on the wire: its owner too.
type collaborator struct {
	App         ref                `json:"app"`
	CreatedAt   string             `json:"created_at"`
	ID          string             `json:"id"`
	Permissions []permission       `json:"permissions"`
	Role        string             `json:"role"`
	UpdatedAt   string             `json:"updated_at"`
	User        collaboratorPerson `json:"user"`
}

type permission struct {
	Description string `json:"description"`
	Name        string `json:"name"`
}

type collaboratorPerson struct {
	Email     string `json:"email"`
	Federated bool   `json:"federated"`
	ID        string `json:"id"`
}

var permissionTexts = map[renga.Permission]string{
	renga.MayView:    "Look at the app, its releases, dynos and logs, and at no secrets.",
	renga.MayDeploy:  "Push images and release them, and read config vars.",
	renga.MayOperate: "Configure, scale, restart and run the app, and read config vars.",
	renga.MayManage:  "Rename, transfer and delete the app, and say who has access.",
}

func newCollaborator(a renga.App, c renga.Collaborator, who person) collaborator {
	shown := collaborator{
		App: appRef(a), CreatedAt: stamp(c.CreatedAt), ID: c.ID, Role: "collaborator", UpdatedAt: stamp(c.UpdatedAt),
		User: collaboratorPerson{Email: who.Email, ID: who.ID},
	}
	if c.Account == a.Owner {
		shown.Role = "owner"
	}
	for _, p := range c.Permissions {
		shown.Permissions = append(shown.Permissions, permission{Description: permissionTexts[p], Name: string(p)})
	}
	return shown
}

// sharers are all who have access to an app, its owner first.
func sharers(a renga.App) []renga.Collaborator {
	owner := renga.Collaborator{
		ID: derivedID(a.ID, "owner:"+string(a.Owner)), Account: a.Owner, Permissions: a.Permissions(a.Owner),
		CreatedAt: a.CreatedAt, UpdatedAt: a.CreatedAt,
	}
	others := slices.SortedFunc(maps.Values(a.Collaborators), func(x, y renga.Collaborator) int {
		return cmp.Or(x.CreatedAt.Compare(y.CreatedAt), cmp.Compare(x.ID, y.ID))
	})
	return append([]renga.Collaborator{owner}, others...)
}

func (s *Server) showCollaborator(ctx context.Context, a renga.App, c renga.Collaborator, known *people) (collaborator, error) {
	who, err := known.find(ctx, c.Account)
	return newCollaborator(a, c, who), err
}

func (s *Server) listCollaborators(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	known := s.people()
	show := func(page []renga.Collaborator) ([]collaborator, error) {
		wires := make([]collaborator, len(page))
		for i, c := range page {
			if wires[i], err = s.showCollaborator(r.Context(), a, c, known); err != nil {
				return nil, err
			}
		}
		return wires, nil
	}
	return listAs(w, r, sharers(a), show,
		byTime("created_at", func(c renga.Collaborator) (time.Time, string) { return c.CreatedAt, c.ID }),
		by("id", func(c renga.Collaborator) string { return c.ID }))
}

// collaboratorOf finds the collaborator of the path by its id or its account's
// id or email.
func (s *Server) collaboratorOf(r *http.Request) (renga.App, renga.Collaborator, collaborator, error) {
	a, err := s.AppOf(r)
	if err != nil {
		return renga.App{}, renga.Collaborator{}, collaborator{}, err
	}
	identity, known := mux.Vars(r)["collaborator"], s.people()
	for _, c := range sharers(a) {
		shown, err := s.showCollaborator(r.Context(), a, c, known)
		if err != nil {
			return renga.App{}, renga.Collaborator{}, collaborator{}, err
		}
		if c.ID == identity || shown.User.ID == identity || strings.EqualFold(shown.User.Email, identity) {
			return a, c, shown, nil
		}
	}
	return renga.App{}, renga.Collaborator{}, collaborator{}, notFound("collaborator")
}

func (s *Server) collaboratorInfo(w http.ResponseWriter, r *http.Request) error {
	_, _, shown, err := s.collaboratorOf(r)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, shown)
}

// addCollaborator sends nobody a message, as if "silent" were always set.
func (s *Server) addCollaborator(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var body struct {
		User        string             `json:"user"`
		Permissions []renga.Permission `json:"permissions"`
	}
	if err := decode(r, &body); err != nil {
		return err
	}
	user, err := s.accountNamed(r.Context(), body.User)
	if err != nil {
		return err
	}
	may, err := renga.SharedPermissions(body.Permissions)
	if err != nil {
		return err
	}
	if err := ownToGive(a, caller(r).ID, may); err != nil {
		return err
	}
	now := s.Now()
	c := renga.Collaborator{ID: uuid.NewString(), Account: user.ID, Permissions: may, CreatedAt: now, UpdatedAt: now}
	if a, err = s.share(r.Context(), a, c); err != nil {
		return err
	}
	s.Audit(r, "collaborator added", a.Name, "user", user.Email, "permissions", may)
	return answer(w, http.StatusCreated, newCollaborator(a, c, person{Email: user.Email, ID: string(user.ID)}))
}

// ownToGive makes sure that whoever shares the app has all that they give away.
func ownToGive(a renga.App, who renga.AccountID, may []renga.Permission) error {
	for _, p := range may {
		if err := a.Permit(who, p); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) share(ctx context.Context, a renga.App, c renga.Collaborator) (renga.App, error) {
	a, err := s.parts.Apps.UpdateApp(ctx, a.ID, func(a *renga.App) error {
		if len(a.Permissions(c.Account)) > 0 {
			return invalid("User is already a collaborator on app.")
		}
		if a.Collaborators == nil {
			a.Collaborators = map[renga.AccountID]renga.Collaborator{}
		}
		a.Collaborators[c.Account] = c
		return nil
	})
	return a, orNotFound(err, "app")
}

// accountNamed finds an account by its email or id.
func (d *Door) accountNamed(ctx context.Context, identity string) (renga.Account, error) {
	var a renga.Account
	err := error(notFound("user"))
	switch {
	case identity == "":
		return a, invalid("Name a user by email.")
	case isUUID(identity):
		a, err = d.Accounts.Account(ctx, renga.AccountID(strings.ToLower(identity)))
	case strings.Contains(identity, "@"):
		a, err = d.Accounts.AccountByEmail(ctx, identity)
	}
	return a, orNotFound(err, "user")
}

// removeCollaborator is for those who manage the app, and for collaborators who
// leave it.
func (s *Server) removeCollaborator(w http.ResponseWriter, r *http.Request) error {
	a, c, shown, err := s.collaboratorOf(r)
	if err != nil {
		return err
	}
	if c.Account == a.Owner {
		return invalid("The owner of an app cannot be removed from it.")
	}
	if c.Account != caller(r).ID {
		if err := a.Permit(caller(r).ID, renga.MayManage); err != nil {
			return err
		}
	}
	_, err = s.parts.Apps.UpdateApp(r.Context(), a.ID, func(a *renga.App) error {
		delete(a.Collaborators, c.Account)
		return nil
	})
	if err != nil {
		return orNotFound(err, "app")
	}
	s.Audit(r, "collaborator removed", a.Name, "user", shown.User.Email)
	return answer(w, http.StatusOK, shown)
}
