// Package releases answers the routes of releases: their list, output, rollbacks
// and canaries.
package releases

import (
	"context"
	"slices"

	"renga"
	"renga/api/wire"
)

// Parts are the rooms that the family needs.
type Parts struct {
	Apps     Apps
	Releases Releases
	Outputs  Outputs
	Releaser Releaser
	Rollouts Rollouts
	Images   Images
	Stored   Stored
	Deployer Deployer
	Importer Importer
	// ShowImport makes JSON of an import.
	ShowImport func(ctx context.Context, a renga.App, i renga.Import) (any, error)
	// AddOnName is the name of an add-on; empty for one that is gone.
	AddOnName func(ctx context.Context, id renga.AddOnID) (string, error)
}

// Apps keeps the apps.
type Apps interface {
	// UpdateApp lets edit change an app, and sets its time of update. Edit may run
	// several times; its error is returned.
	UpdateApp(ctx context.Context, id renga.AppID, edit func(*renga.App) error) (renga.App, error)
}

// Images finds images that were pushed.
type Images interface {
	// Find gives the images that belong to what ref names: the digest of an image's
	// config, of its manifest or of an index, or a tag of the process type's
	// repository. Invalid when there is none.
	Find(ctx context.Context, app string, t renga.ProcessType, ref string) (map[renga.ProcessType]renga.Image, error)
}

// Deployer releases images that were pushed.
type Deployer interface {
	// Deploy makes a release, or returns the newest one when d changes nothing.
	Deploy(ctx context.Context, app renga.AppID, d renga.Deploy, by renga.AccountID) (renga.Release, error)
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
	return slices.Concat(
		s.releaseRoutes(), s.releaseActionRoutes(), s.canaryRoutes(), s.retentionRoutes(), s.imageRoutes(),
		s.releaseOutputRoutes(),
	)
}
