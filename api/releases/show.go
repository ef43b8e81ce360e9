package releases

import (
	"renga"
	"renga/api/wire"
)

// ShowRecord is a release on the wire as it was when something happened to it,
// for other families.
func ShowRecord(a renga.App, rec renga.ReleaseRecord, by wire.Person) any {
	return newRelease(a, rec, by, nil)
}
