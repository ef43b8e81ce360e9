// Package builds answers the routes of builds: source code that becomes an image and a
// release.
package builds

import (
	"context"
	"io"
	"slices"

	"renga"
	"renga/api/wire"
)

// Parts are the rooms that the family needs.
type Parts struct {
	Builds  Builds
	Builder Builder
	Uploads Uploads
}

// Builds keeps builds.
type Builds interface {
	// Builds lists them oldest first.
	Builds(ctx context.Context, app renga.AppID) ([]renga.Build, error)
}

// Builder builds.
type Builder interface {
	// Start asks for a build of an archive, a tar or one compressed by gzip.
	Start(ctx context.Context, order renga.BuildOrder, source io.Reader) (renga.Build, error)
	// Fetch opens an archive at a URL of somebody else's.
	Fetch(ctx context.Context, url string) (io.ReadCloser, error)
	// Cancel is Conflict for a build that is over.
	Cancel(ctx context.Context, app renga.AppID, id string) (renga.Build, error)
	// Follow writes what a build says until it is over.
	Follow(ctx context.Context, b renga.Build, output io.Writer) error
	// ForgetCache removes what is kept of an app between its builds; Conflict while one is
	// under way.
	ForgetCache(ctx context.Context, app renga.AppID) error
}

// Uploads keep archives that are to be built, for a time.
type Uploads interface {
	// Put keeps an archive; one that is there is replaced. TooMany if there are too many.
	Put(id string, from io.Reader) error
	// Open is NotFound for what was never sent, or too long ago.
	Open(id string) (io.ReadCloser, error)
}

// Server answers the family's routes.
type Server struct {
	*wire.Door
	parts Parts
}

// New makes a Server.
func New(d *wire.Door, p Parts) *Server { return &Server{Door: d, parts: p} }

// Routes gives all routes of the family.
func (s *Server) Routes() []wire.Route { return slices.Concat(s.buildRoutes(), s.sourceRoutes()) }
