// Package addons answers for add-ons: what the catalogue offers, which add-ons
// there are, what attaches them to apps, and their config vars.
package addons

import (
	"context"
	"net/http"
	"slices"

	"renga"
	"renga/addons/catalogue"
	"renga/api/wire"
)

// Parts are who does the work.
type Parts struct {
	Catalogue Catalogue
	AddOns    AddOns
	Maker     Maker
	Attacher  Attacher
	Upgrader  Upgrader
	Releases  Releases
	Partners  Partners
	Grants    Grants
	Backups   Backups
	Copier    Copier
	// BackupRecords is where they are found.
	BackupRecords   BackupRecords
	BackupSchedules BackupSchedules
	BackupDownloads BackupDownloads
	Tunnels         Tunnels
	// Bastion is the host on whose port 22 Heroku's CLI reaches add-ons; empty for
	// none.
	Bastion string
	Usages  Usages
	// ShowRegion is the one region as JSON; KnownRegion checks the region of a
	// path.
	ShowRegion  func() any
	KnownRegion func(*http.Request) error
}

// Catalogue knows what can be made.
type Catalogue interface {
	// Services are all, in order of their names.
	Services() []catalogue.Service
	// Plan finds "service:plan", or the default plan of "service". Invalid when
	// there is none.
	Plan(name string) (catalogue.Service, catalogue.Plan, error)
}

// AddOns keeps the add-ons. What is not there is NotFound.
type AddOns interface {
	AddOn(ctx context.Context, id renga.AddOnID) (renga.AddOn, error)
	AddOnByName(ctx context.Context, name string) (renga.AddOn, error)
	AddOnByAttachment(ctx context.Context, attachment string) (renga.AddOn, error)
	// AddOnsOfApps are those that were made for any of the apps, or that one of them
	// has attached; each once, in order of their names.
	AddOnsOfApps(ctx context.Context, apps []renga.AppID) ([]renga.AddOn, error)
}

// Maker makes and changes add-ons.
type Maker interface {
	// Create gives back an add-on that is being made. An attachment's name that is
	// taken is Unconfirmed without the app's name in the request.
	Create(ctx context.Context, app renga.App, r renga.AddOnRequest, by renga.AccountID) (renga.AddOn, error)
	Rename(ctx context.Context, id renga.AddOnID, name string) error
	ChangePlan(ctx context.Context, id renga.AddOnID, plan string, by renga.AccountID) error
	// Rotate replaces a credential.
	Rotate(ctx context.Context, id renga.AddOnID, credential string, by renga.AccountID) error
	// Destroy removes it with its data; with force also while other apps have it
	// attached.
	Destroy(ctx context.Context, id renga.AddOnID, force bool, by renga.AccountID) error
}

// Attacher gives add-ons to apps.
type Attacher interface {
	// Attach is Unconfirmed as Create is.
	Attach(ctx context.Context, id renga.AddOnID, r renga.AttachmentRequest, by renga.AccountID) (
		renga.Attachment, error)
	Detach(ctx context.Context, id renga.AddOnID, attachment string, by renga.AccountID) error
}

// Releases opens releases.
type Releases interface {
	// Newest is the app's newest release, credentials and all.
	Newest(ctx context.Context, app renga.AppID) (renga.Release, error)
}

// Server answers the family's routes.
type Server struct {
	*wire.Door
	parts Parts
}

// New makes a Server.
func New(d *wire.Door, p Parts) *Server { return &Server{Door: d, parts: p} }

// Routes are all of the family's.
func (s *Server) Routes() []wire.Route {
	return slices.Concat(
		s.serviceRoutes(), s.addOnRoutes(), s.attachmentRoutes(), s.resolveRoutes(), s.configRoutes(), s.partnerRoutes(),
		s.databaseRoutes(), s.backupRoutes(), s.transferRoutes(), s.backupScheduleRoutes(),
		s.tunnelRoutes(), s.usageRoutes(),
		s.dataRoutes(), s.upgradeRoutes(),
	)
}
