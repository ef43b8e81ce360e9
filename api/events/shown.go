package events

import (
	"context"

	"renga"
	"renga/api/wire"
)

// Shown is what an event can happen to, as the other families show it. Who is
// known is looked up once.
type Shown struct {
	App          func(ctx context.Context, a renga.App) (any, error)
	Release      func(a renga.App, rec renga.ReleaseRecord, by wire.Person) any
	Dyno         func(a renga.App, d renga.Dyno) any
	Process      func(a renga.App, t renga.ProcessType, scale renga.Scale) any
	Collaborator func(ctx context.Context, a renga.App, c renga.Collaborator, known *wire.People) (any, error)
	Domain       func(ctx context.Context, a renga.App, d renga.Domain) (any, error)
	Endpoint     func(ctx context.Context, a renga.App, e renga.Endpoint) (any, error)
}
