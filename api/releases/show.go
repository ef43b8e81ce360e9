package releases

import (
	"context"

	"renga"
	"renga/api/wire"
)

// ShowRecord is a release on the wire as it was when something happened to it,
// for other families.
func ShowRecord(a renga.App, rec renga.ReleaseRecord, by wire.Person) any {
	return newRelease(a, rec, by, nil)
}

// Show is a release on the wire, for other families.
func (s *Server) Show(
	ctx context.Context, a renga.App, rec renga.ReleaseRecord, known *wire.People,
) (any, error) {
	return s.showRelease(ctx, a, rec, known)
}
