package registry

import (
	"context"

	"renga"
)

// checkTag refuses to change a tag of an app that is immutable and exists. To which
// digest says what it is to name; empty if it is to be deleted. The tag's lock is held.
func (r *Registry) checkTag(ctx context.Context, rq request, to string) error {
	if !rq.app.Registry.Immutable(rq.ref) {
		return nil
	}
	repo, err := r.repository(ctx, rq.repository())
	if err != nil {
		return err
	}
	named, err := repo.tag(ctx, rq.ref)
	switch {
	case err != nil:
		return err
	case named == "" || named == to:
		return nil
	case to == "":
		return renga.Errorf(renga.Forbidden, "The tag %s is immutable in the app %s, so it cannot be deleted.", rq.ref, rq.call.app)
	}
	return renga.Errorf(renga.Forbidden, "The tag %s is immutable in the app %s and names another image. Push under a new tag.",
		rq.ref, rq.call.app)
}
