package wire

import (
	"net/http"

	"renga"
)

// admitRobot turns a robot away, whose token reaches the images of one app in the
// registry, and no route.
func admitRobot(r *http.Request) error {
	if InfoOf(r).Bearer.Authorization.App == "" {
		return nil
	}
	return renga.Errorf(renga.Forbidden, "This token is a robot's: it pulls and pushes images of one app, and does nothing else.")
}
