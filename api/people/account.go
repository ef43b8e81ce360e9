package people

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// Accounts keeps the accounts.
type Accounts interface {
	// UpdateAccount lets edit change all but id and email. Edit may run several
	// times.
	UpdateAccount(ctx context.Context, id renga.AccountID, edit func(*renga.Account) error) (renga.Account, error)
}

func (s *Server) accountRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/account", wire.OnToken(renga.ScopeIdentity), s.accountInfo),
		wire.Patch("/account", wire.WholeToken, s.updateAccount),
		wire.Delete("/account", wire.WholeToken, s.deleteAccount),
		wire.Get("/users/{account}", wire.OnToken(renga.ScopeIdentity), s.accountInfo),
		wire.Patch("/users/{account}", wire.WholeToken, s.updateAccount),
		wire.Delete("/users/{account}", wire.WholeToken, s.deleteAccount),
	}
}

// account is an account as JSON. What Renga does not have is null.
type account struct {
	AllowTracking           bool      `json:"allow_tracking"`
	Beta                    bool      `json:"beta"`
	CountryOfResidence      *string   `json:"country_of_residence"`
	CreatedAt               string    `json:"created_at"`
	DefaultOrganization     *wire.Ref `json:"default_organization"`
	DefaultTeam             *wire.Ref `json:"default_team"`
	DelinquentAt            *string   `json:"delinquent_at"`
	Email                   string    `json:"email"`
	Federated               bool      `json:"federated"`
	ID                      string    `json:"id"`
	IdentityProvider        *wire.Ref `json:"identity_provider"`
	LastLogin               *string   `json:"last_login"`
	Name                    *string   `json:"name"`
	SMSNumber               *string   `json:"sms_number"`
	SuspendedAt             *string   `json:"suspended_at"`
	TwoFactorAuthentication bool      `json:"two_factor_authentication"`
	UpdatedAt               string    `json:"updated_at"`
	Verified                bool      `json:"verified"`
}

func newAccount(a renga.Account) account {
	shown := account{
		AllowTracking: a.AllowTracking, Beta: a.Beta, CreatedAt: wire.Stamp(a.CreatedAt), Email: a.Email,
		ID:   string(a.ID),
		Name: wire.OrNull(a.Name), UpdatedAt: wire.Stamp(a.UpdatedAt), Verified: true,
	}
	if !a.LastLogin.IsZero() {
		shown.LastLogin = wire.OrNull(wire.Stamp(a.LastLogin))
	}
	return shown
}

// accountInfo shows the whole account of the caller. Of others it shows the id and
// the email, which the official CLI asks for to give them a pipeline.
func (s *Server) accountInfo(w http.ResponseWriter, r *http.Request) error {
	if wire.OwnAccount(r) == nil {
		return wire.Answer(w, http.StatusOK, newAccount(wire.Caller(r)))
	}
	other, err := s.AccountNamed(r.Context(), mux.Vars(r)["account"])
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newAccount(renga.Account{
		ID: other.ID, Email: other.Email, CreatedAt: other.CreatedAt, UpdatedAt: other.CreatedAt,
	}))
}

func (s *Server) updateAccount(w http.ResponseWriter, r *http.Request) error {
	if err := wire.OwnAccount(r); err != nil {
		return err
	}
	const longestName = 200
	var body struct {
		AllowTracking *bool   `json:"allow_tracking"`
		Beta          *bool   `json:"beta"`
		Name          *string `json:"name"`
		// Older versions of Heroku's schema change a password with these fields.
		Password    *string `json:"password"`
		NewPassword *string `json:"new_password"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if body.Name != nil && len(*body.Name) > longestName {
		return wire.Invalid("A name may be %d bytes long.", longestName)
	}
	if err := s.changePassword(r, body.Password, body.NewPassword); err != nil {
		return err
	}
	a, err := s.parts.Accounts.UpdateAccount(r.Context(), wire.Caller(r).ID, func(a *renga.Account) error {
		wire.Set(&a.AllowTracking, body.AllowTracking)
		wire.Set(&a.Beta, body.Beta)
		wire.Set(&a.Name, body.Name)
		a.UpdatedAt = s.Now()
		return nil
	})
	if err != nil {
		return err
	}
	s.Audit(r, "account updated", "")
	return wire.Answer(w, http.StatusOK, newAccount(a))
}

// changePassword replaces the caller's password if a new one is given. It requires
// the current one, so that a stolen token cannot lock its owner out.
func (s *Server) changePassword(r *http.Request, current, next *string) error {
	if next == nil {
		return nil
	}
	if current == nil {
		return wire.Invalid("Field \"new_password\" takes the current password in the field \"password\".")
	}
	err := s.parts.Logins.ChangePassword(r.Context(), wire.InfoOf(r).Bearer, *current, *next, wire.ClientAddress(r))
	if renga.KindOf(err) == renga.Unauthorized {
		// not 401: the token is good, and clients delete a token that gets 401
		return renga.Errorf(renga.Forbidden, "Field \"password\" is not this account's current password.")
	}
	if err == nil {
		s.Audit(r, "password changed", "")
	}
	return err
}

func (s *Server) deleteAccount(_ http.ResponseWriter, r *http.Request) error {
	if err := wire.OwnAccount(r); err != nil {
		return err
	}
	return renga.Errorf(
		renga.Forbidden,
		"Accounts stay, because releases name them. Revoke this one's authorizations instead; nobody gets in with "+
			"it then.",
	)
}
