package api

import (
	"strconv"

	"github.com/google/uuid"

	"renga"
)

// Releases and process types have UUIDs on the wire that nobody stores: they
// are made of the app's id and the version or the type (RFC 9562, version 5).

func releaseID(app renga.AppID, version int) string {
	return derivedID(app, "release:"+strconv.Itoa(version))
}

func formationID(app renga.AppID, t renga.ProcessType) string {
	return derivedID(app, "formation:"+string(t))
}

// derivedID needs an app id that is a UUID, as all are; another would be a bug
// and panics.
func derivedID(app renga.AppID, name string) string {
	return uuid.NewSHA1(uuid.MustParse(string(app)), []byte(name)).String()
}

// isUUID tells whether s has the plain form of a UUID.
func isUUID(s string) bool { return len(s) == 36 && uuid.Validate(s) == nil }
