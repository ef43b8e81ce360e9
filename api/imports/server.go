// Package imports answers the routes of images that come from other registries: the
// imports themselves, and credentials for those registries.
package imports

import (
	"context"
	"net/http"
	"slices"

	"renga"
	"renga/api/wire"
)

// Parts are the rooms that the family needs.
type Parts struct {
	Imports     Imports
	Importer    Importer
	Credentials Credentials
	Rules       Rules
	Notices     Notices
}

// Notices remembers what registries told.
type Notices interface {
	// Notices lists them oldest first.
	Notices(ctx context.Context, app renga.AppID) ([]renga.ReceivedNotice, error)
}

// Rules keeps registry webhooks. What is not there is NotFound.
type Rules interface {
	// ImportRules leaves out the secrets.
	ImportRules(ctx context.Context, app renga.AppID) ([]renga.ImportRule, error)
	ImportRule(ctx context.Context, app renga.AppID, id string) (renga.ImportRule, error)
	AddImportRule(ctx context.Context, r renga.ImportRule) error
	RemoveImportRule(ctx context.Context, app renga.AppID, id string) error
}

// Imports keeps imports.
type Imports interface {
	// Imports lists them oldest first.
	Imports(ctx context.Context, app renga.AppID) ([]renga.Import, error)
}

// Importer does imports.
type Importer interface {
	// CheckRule is an error if there can be no such rule.
	CheckRule(r renga.ImportRule) error
	// SecretInURL tells whether a kind of sender can show its secret in the URL only.
	SecretInURL(source string) bool
	// Admit tells whether a request is from who may send notices to the rule at url; more
	// if that cannot be told without the body, which is nil then.
	Admit(r *http.Request, body []byte, rule renga.ImportRule, url string) (proven, more bool)
	// Take takes a notice whose sender is proven.
	Take(ctx context.Context, rule renga.ImportRule, h http.Header, body []byte) (renga.NoticeTaken, error)
	// Replay is NotFound for an import that the app does not have, and Conflict for one
	// that is under way.
	Replay(ctx context.Context, app renga.AppID, id string, by renga.AccountID) (renga.Import, error)
}

// Credentials keeps apps' logins to other registries.
type Credentials interface {
	// SourceLogins leaves out the passwords.
	SourceLogins(ctx context.Context, app renga.AppID) ([]renga.SourceLogin, error)
	SetSourceLogin(ctx context.Context, app renga.AppID, l renga.SourceLogin) error
	RemoveSourceLogin(ctx context.Context, app renga.AppID, host string) error
}

// Server answers the family's routes.
type Server struct {
	*wire.Door
	parts Parts
}

// New makes a Server.
func New(d *wire.Door, p Parts) *Server { return &Server{Door: d, parts: p} }

// Routes gives all routes of the family.
func (s *Server) Routes() []wire.Route {
	return slices.Concat(s.importRoutes(), s.credentialRoutes(), s.ruleRoutes())
}
