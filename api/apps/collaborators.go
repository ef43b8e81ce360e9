package apps

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
	"renga/api/wire"
)

func (s *Server) collaboratorRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/collaborators", wire.Looking, s.listCollaborators),
		wire.Post("/apps/{app}/collaborators", wire.OnApp(renga.ScopeGlobal, renga.MayManage), s.addCollaborator).
			Without("silent", "nobody is told by mail of anything"),
		wire.Get("/apps/{app}/collaborators/{collaborator}", wire.Looking, s.collaboratorInfo),
		wire.Delete(
			"/apps/{app}/collaborators/{collaborator}", wire.OnApp(renga.ScopeWrite, renga.MayView),
			s.removeCollaborator,
		),
	}
}

// collaborator is a person with access to an app as JSON, its owner too.
type collaborator struct {
	App         wire.Ref           `json:"app"`
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

func newCollaborator(a renga.App, c renga.Collaborator, who wire.Person) collaborator {
	shown := collaborator{
		App: wire.AppRef(a), CreatedAt: wire.Stamp(c.CreatedAt), ID: c.ID, Role: "collaborator",
		UpdatedAt: wire.Stamp(c.UpdatedAt),
		User:      collaboratorPerson{Email: who.Email, ID: who.ID},
	}
	if c.Account == a.Owner {
		shown.Role = "owner"
	}
	for _, p := range c.Permissions {
		shown.Permissions = append(shown.Permissions, permission{Description: permissionTexts[p], Name: string(p)})
	}
	return shown
}

// sharers gives all who have access to an app, its owner first.
func sharers(a renga.App) []renga.Collaborator {
	owner := renga.Collaborator{
		ID: wire.DerivedID(a.ID, "owner:"+string(a.Owner)), Account: a.Owner, Permissions: a.Permissions(a.Owner),
		CreatedAt: a.CreatedAt, UpdatedAt: a.CreatedAt,
	}
	others := slices.SortedFunc(maps.Values(a.Collaborators), func(x, y renga.Collaborator) int {
		return cmp.Or(x.CreatedAt.Compare(y.CreatedAt), cmp.Compare(x.ID, y.ID))
	})
	return append([]renga.Collaborator{owner}, others...)
}

func (s *Server) showCollaborator(
	ctx context.Context, a renga.App, c renga.Collaborator, known *wire.People,
) (collaborator, error) {
	who, err := known.Find(ctx, c.Account)
	return newCollaborator(a, c, who), err
}

func (s *Server) listCollaborators(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	known := s.People()
	show := func(c renga.Collaborator) (collaborator, error) {
		return s.showCollaborator(r.Context(), a, c, known)
	}
	return wire.ListAs(w, r, sharers(a), wire.Each(show),
		wire.ByTime("created_at", func(c renga.Collaborator) (time.Time, string) { return c.CreatedAt, c.ID }),
		wire.By("id", func(c renga.Collaborator) string { return c.ID }))
}

// collaboratorOf finds the collaborator of the path by its id, or by its account's
// id or email.
func (s *Server) collaboratorOf(r *http.Request) (renga.App, renga.Collaborator, collaborator, error) {
	a, err := s.AppOf(r)
	if err != nil {
		return renga.App{}, renga.Collaborator{}, collaborator{}, err
	}
	identity, known := mux.Vars(r)["collaborator"], s.People()
	for _, c := range sharers(a) {
		shown, err := s.showCollaborator(r.Context(), a, c, known)
		if err != nil {
			return renga.App{}, renga.Collaborator{}, collaborator{}, err
		}
		if c.ID == identity || shown.User.ID == identity || strings.EqualFold(shown.User.Email, identity) {
			return a, c, shown, nil
		}
	}
	return renga.App{}, renga.Collaborator{}, collaborator{}, wire.NotFound("collaborator")
}

func (s *Server) collaboratorInfo(w http.ResponseWriter, r *http.Request) error {
	_, _, shown, err := s.collaboratorOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, shown)
}

// addCollaborator adds a collaborator. It sends no email, as if "silent" were
// always set.
func (s *Server) addCollaborator(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var body struct {
		User        string             `json:"user"`
		Permissions []renga.Permission `json:"permissions"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	user, err := s.AccountNamed(r.Context(), body.User)
	if err != nil {
		return err
	}
	may, err := renga.SharedPermissions(body.Permissions)
	if err != nil {
		return err
	}
	if err := ownToGive(a, wire.Caller(r).ID, may); err != nil {
		return err
	}
	now := s.Now()
	c := renga.Collaborator{ID: uuid.NewString(), Account: user.ID, Permissions: may, CreatedAt: now, UpdatedAt: now}
	if a, err = s.share(r.Context(), a, c); err != nil {
		return err
	}
	s.Audit(r, "collaborator added", a.Name, "user", user.Email, "permissions", may)
	return wire.Answer(
		w, http.StatusCreated, newCollaborator(a, c, wire.Person{Email: user.Email, ID: string(user.ID)}),
	)
}

// ownToGive checks that callers who share the app have all permissions that they
// give.
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
			return wire.Invalid("User is already a collaborator on app.")
		}
		if a.Collaborators == nil {
			a.Collaborators = map[renga.AccountID]renga.Collaborator{}
		}
		a.Collaborators[c.Account] = c
		return nil
	})
	return a, wire.OrNotFound(err, "app")
}

// removeCollaborator is for callers who may manage the app, and for collaborators
// who leave it.
func (s *Server) removeCollaborator(w http.ResponseWriter, r *http.Request) error {
	a, c, shown, err := s.collaboratorOf(r)
	if err != nil {
		return err
	}
	if c.Account == a.Owner {
		return wire.Invalid("The owner of an app cannot be removed from it.")
	}
	if c.Account != wire.Caller(r).ID {
		if err := a.Permit(wire.Caller(r).ID, renga.MayManage); err != nil {
			return err
		}
	}
	_, err = s.parts.Apps.UpdateApp(r.Context(), a.ID, func(a *renga.App) error {
		delete(a.Collaborators, c.Account)
		return nil
	})
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Audit(r, "collaborator removed", a.Name, "user", shown.User.Email)
	return wire.Answer(w, http.StatusOK, shown)
}
