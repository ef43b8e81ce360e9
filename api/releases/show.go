package releases

import (
	"context"

	"renga"
	"renga/api/wire"
)

// ShowRecord gives a release as JSON as it was at an event, for other families.
func ShowRecord(a renga.App, rec renga.ReleaseRecord, by wire.Person) any {
	return newRelease(a, rec, by, nil)
}

// Show gives a release as JSON, for other families.
func (s *Server) Show(
	ctx context.Context, a renga.App, rec renga.ReleaseRecord, known *wire.People,
) (any, error) {
	return s.showRelease(ctx, a, rec, known)
}
