package api

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
)

// Accounts keeps the accounts.
type Accounts interface {
	// UpdateAccount changes all but id and email; edit may run several times.
	UpdateAccount(ctx context.Context, id renga.AccountID, edit func(*renga.Account) error) (renga.Account, error)
}

func (s *Server) accountRoutes() []Route {
	return []Route{
		Get("/account", OnToken(renga.ScopeIdentity), s.accountInfo),
		Patch("/account", WholeToken, s.updateAccount),
		Delete("/account", WholeToken, s.deleteAccount),
		Get("/users/{account}", OnToken(renga.ScopeIdentity), s.accountInfo),
		Patch("/users/{account}", WholeToken, s.updateAccount),
		Delete("/users/{account}", WholeToken, s.deleteAccount),
	}
}

// account is an account on the wire. What Renga has no notion of is null.
type account struct {
	AllowTracking           bool    `json:"allow_tracking"`
	Beta                    bool    `json:"beta"`
	CountryOfResidence      *string `json:"country_of_residence"`
	CreatedAt               string  `json:"created_at"`
	DefaultOrganization     *ref    `json:"default_organization"`
	DefaultTeam             *ref    `json:"default_team"`
	DelinquentAt            *string `json:"delinquent_at"`
	Email                   string  `json:"email"`
	Federated               bool    `json:"federated"`
	ID                      string  `json:"id"`
	IdentityProvider        *ref    `json:"identity_provider"`
	LastLogin               *string `json:"last_login"`
	Name                    *string `json:"name"`
	SMSNumber               *string `json:"sms_number"`
	SuspendedAt             *string `json:"suspended_at"`
	TwoFactorAuthentication bool    `json:"two_factor_authentication"`
	UpdatedAt               string  `json:"updated_at"`
	Verified                bool    `json:"verified"`
}

// ref names a resource inside another.
type ref struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// person names an account inside another resource.
type person struct {
	Email string `json:"email"`
	ID    string `json:"id"`
}

func newAccount(a renga.Account) account {
	shown := account{
		AllowTracking: a.AllowTracking, Beta: a.Beta, CreatedAt: stamp(a.CreatedAt), Email: a.Email, ID: string(a.ID),
		Name: orNull(a.Name), UpdatedAt: stamp(a.UpdatedAt), Verified: true,
	}
	if !a.LastLogin.IsZero() {
		shown.LastLogin = orNull(stamp(a.LastLogin))
	}
	return shown
}

// accountInfo tells of the caller all, and of others what is needed to give them
// something, as the official CLI does with pipelines: whose email has which id.
func (s *Server) accountInfo(w http.ResponseWriter, r *http.Request) error {
	if ownAccount(r) == nil {
		return answer(w, http.StatusOK, newAccount(caller(r)))
	}
	other, err := s.accountNamed(r.Context(), mux.Vars(r)["account"])
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, newAccount(renga.Account{
		ID: other.ID, Email: other.Email, CreatedAt: other.CreatedAt, UpdatedAt: other.CreatedAt,
	}))
}

func (s *Server) updateAccount(w http.ResponseWriter, r *http.Request) error {
	if err := ownAccount(r); err != nil {
		return err
	}
	const longestName = 200
	var body struct {
		AllowTracking *bool   `json:"allow_tracking"`
		Beta          *bool   `json:"beta"`
		Name          *string `json:"name"`
	}
	if err := decode(r, &body); err != nil {
		return err
	}
	if body.Name != nil && len(*body.Name) > longestName {
		return invalid("A name may be %d bytes long.", longestName)
	}
	a, err := s.parts.Accounts.UpdateAccount(r.Context(), caller(r).ID, func(a *renga.Account) error {
		set(&a.AllowTracking, body.AllowTracking)
		set(&a.Beta, body.Beta)
		set(&a.Name, body.Name)
		a.UpdatedAt = s.Now()
		return nil
	})
	if err != nil {
		return err
	}
	s.Audit(r, "account updated", "")
	return answer(w, http.StatusOK, newAccount(a))
}

// set changes what a body names.
func set[T any](field *T, asked *T) {
	if asked != nil {
		*field = *asked
	}
}

func (s *Server) deleteAccount(_ http.ResponseWriter, r *http.Request) error {
	if err := ownAccount(r); err != nil {
		return err
	}
	return renga.Errorf(renga.Forbidden, "Accounts stay, because releases name them. Revoke this one's authorizations instead; nobody gets in with it then.")
}

// ownAccount lets a path's account through that is the caller: "~", the id or
// the email. Others are not found.
func ownAccount(r *http.Request) error {
	who, named := mux.Vars(r)["account"]
	me := caller(r)
	if !named || who == "~" || who == string(me.ID) || strings.EqualFold(who, me.Email) {
		return nil
	}
	return notFound("user")
}

// people looks accounts up, each once for one answer.
type people struct {
	accounts DoorAccounts
	domain   string
	mu       sync.Mutex // guards known
	known    map[renga.AccountID]person
}

func (d *Door) people() *people {
	return &people{accounts: d.Accounts, domain: d.Domain, known: map[renga.AccountID]person{}}
}

// find is the person behind an id. Who is gone, or never was an account, has a
// name that says so.
func (p *people) find(ctx context.Context, id renga.AccountID) (person, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if who, ok := p.known[id]; ok {
		return who, nil
	}
	who := person{Email: "unknown@" + p.domain, ID: uuid.Nil.String()}
	if id == renga.Platform {
		who.Email = "platform@" + p.domain
		return who, nil
	}
	if isUUID(string(id)) {
		who.ID = string(id)
	}
	a, err := p.accounts.Account(ctx, id)
	switch renga.KindOf(err) {
	case "":
		who.Email = a.Email
	case renga.NotFound:
	default:
		return person{}, err
	}
	p.known[id] = who
	return who, nil
}
