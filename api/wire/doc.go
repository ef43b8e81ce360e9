// Package wire is what the families of resources of the API have in common:
// JSON, errors, lists and their ranges, references, ETags, repeated requests,
// streams, and the Door, which knows who asks, for which app, and whether they
// may. It knows no family.
//
// A route says by its Policy who may call it:
//
//	wire.Get("/apps/{app}/releases", wire.Looking, s.listReleases)
package wire
