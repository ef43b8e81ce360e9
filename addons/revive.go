package addons

import (
	"maps"
	"slices"
	"time"

	"renga"
)

// Newest are the credentials of the newest release of each app that is there; nil
// for an app whose newest release cannot be read.
type Newest map[renga.AppID]map[renga.AddOnID]renga.Credentials

// Revive is an add-on as it comes back from its note. The newest releases tell
// whether the note is of today: an add-on that was destroyed since is renga.NotFound,
// and credentials that were replaced since end. One that no release need have, for it
// is attached to nothing or was being made, is renga.Conflict, unless the operator
// says that such notes are of today: put back after its end, one would bring the
// add-on back, empty.
func Revive(note renga.AddOn, newest Newest, trusted bool) (renga.AddOn, error) {
	a := note.Clone()
	a.Attachments = nil
	attached, released := false, 0
	for _, at := range note.Attachments {
		layers, there := newest[at.App]
		if !there {
			continue
		}
		a.Attachments = append(a.Attachments, at)
		switch layer, has := layers[a.ID]; {
		case has:
			released = max(released, layer.Version)
		case layers == nil:
			released = max(released, a.Generation)
		}
		attached = attached || !at.Leaving
	}
	switch {
	case a.State == renga.Deprovisioned, a.State == renga.Provisioned && attached && released == 0:
		return a, renga.Errorf(renga.NotFound, "The note of the add-on %s is older than its end: no release has it any more.",
			a.Name)
	case released == 0 && a.State != renga.Deprovisioning && !trusted:
		return a, renga.Errorf(renga.Conflict, "no release has it, so that nothing tells whether it was destroyed since it was "+
			"noted. If it was not, run `renga recover --unreleased`.")
	case released > a.Generation:
		renew(&a, released)
	}
	return a, nil
}

// renew ends all credentials and puts new ones in their places, of later versions
// than releases have.
func renew(a *renga.AddOn, version int) {
	names := map[string]bool{}
	for i := range a.Credentials {
		names[a.Credentials[i].Name] = true
		a.Credentials[i].State = renga.CredentialRevoking
	}
	a.Generation = version
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a.Generation++
		a.Credentials = append(a.Credentials, newCredential(name, a.Generation, time.Now()))
	}
}
