package events

import (
	"context"

	"renga"
	"renga/api/wire"
)

// Shown shows what an event can happen to, as the other families do. People are
// looked up once.
type Shown struct {
	App          func(ctx context.Context, a renga.App) (any, error)
	Release      func(a renga.App, rec renga.ReleaseRecord, by wire.Person) any
	Dyno         func(a renga.App, d renga.Dyno) any
	Process      func(a renga.App, t renga.ProcessType, scale renga.Scale) any
	Collaborator func(ctx context.Context, a renga.App, c renga.Collaborator, known *wire.People) (any, error)
	Domain       func(ctx context.Context, a renga.App, d renga.Domain) (any, error)
	Endpoint     func(ctx context.Context, a renga.App, e renga.Endpoint) (any, error)
	AddOn        func(ctx context.Context, a renga.AddOn) (any, error)
	Failed       func(ctx context.Context, a renga.AddOn, b renga.Backup) (any, error) // a backup of the add-on
	Attachment   func(ctx context.Context, a renga.AddOn, at renga.Attachment) (any, error)
}
