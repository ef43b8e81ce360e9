// Package plan decides what the dyno manager does next. It is pure: from a
// [State], which is what one app is to be and what there is of it, come the next
// safe steps and the route of the app, and from the same state always the same.
//
// The package knows no manager, takes its time from the state, and does nothing
// itself: what it decides, package runtime does.
package plan
