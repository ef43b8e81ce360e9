// Package releases answers for what an app ran and runs: releases, their output,
// rollbacks and canaries.
package releases

import (
	"context"
	"slices"

	"renga"
	"renga/api/wire"
)

// Parts are who does the work.
type Parts struct {
	Apps     Apps
	Releases Releases
	Outputs  Outputs
	Releaser Releaser
	Rollouts Rollouts
	Images   Images
	Deployer Deployer
}

// Apps keeps the apps.
type Apps interface {
	// UpdateApp changes an app at once and stamps it; edit may run several times.
	UpdateApp(ctx context.Context, id renga.AppID, edit func(*renga.App) error) (renga.App, error)
}

// Images finds images that were pushed.
type Images interface {
	// Find gives what the image declares that ref names: the digest of its
	// config, of its manifest or of an index, or a tag of the process type's
	// repository. Invalid when there is none.
	Find(ctx context.Context, app string, t renga.ProcessType, ref string) (map[renga.ProcessType]renga.Image, error)
}

// Deployer releases images that were pushed.
type Deployer interface {
	// Deploy gives the newest release when d changes nothing.
	Deploy(ctx context.Context, app renga.AppID, d renga.Deploy, by renga.AccountID) (renga.Release, error)
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
		s.releaseRoutes(), s.releaseActionRoutes(), s.canaryRoutes(), s.releaseOutputRoutes(),
	)
}
