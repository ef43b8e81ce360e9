package wire

import (
	"strconv"

	"github.com/google/uuid"

	"renga"
)

// Releases and process types have UUIDs in answers that nobody stores: they are
// made of the app's id and the version or the type (RFC 9562, version 5).

// ReleaseID is the id of a release.
func ReleaseID(app renga.AppID, version int) string {
	return DerivedID(app, "release:"+strconv.Itoa(version))
}

// FormationID is the id of a process type.
func FormationID(app renga.AppID, t renga.ProcessType) string {
	return DerivedID(app, "formation:"+string(t))
}

// DerivedID makes a UUID of an app's id and a name. It panics if the app's id is no
// UUID, which would be a bug.
func DerivedID(app renga.AppID, name string) string {
	return uuid.NewSHA1(uuid.MustParse(string(app)), []byte(name)).String()
}

// IsUUID tells whether s has the plain form of a UUID.
func IsUUID(s string) bool { return len(s) == 36 && uuid.Validate(s) == nil }
