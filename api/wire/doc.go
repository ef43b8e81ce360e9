// Package wire is what the families of resources of the API have in common:
// JSON, errors, lists and their ranges, references, ETags, repeated requests,
// streams, and the Door, which finds out who calls, for which app, and whether
// they may. It knows no family.
//
// A route's Policy says who may call it:
//
//	wire.Get("/apps/{app}/releases", wire.Looking, s.listReleases)
package wire
