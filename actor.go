package renga

import "context"

type actorKey struct{}

// ActedBy says in whose name something is done, for those who record it.
func ActedBy(ctx context.Context, who AccountID) context.Context {
	return context.WithValue(ctx, actorKey{}, who)
}

// Actor is in whose name something is done; empty for the platform itself.
func Actor(ctx context.Context) AccountID {
	who, _ := ctx.Value(actorKey{}).(AccountID)
	return who
}
