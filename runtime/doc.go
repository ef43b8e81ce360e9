// Package runtime makes what runs match what is wanted: it is the dyno manager.
// Only it starts and stops dynos, and only it feeds the router.
//
// It works by looking, not by being told. A [Manager] has one worker per app.
// [Manager.Reconcile] says no more than "look at this app"; so do the engine's
// events, the end of a step, and a clock. A look reads what is wanted
// ([renga.Desired]) from the store and what is there ([engine.Engine.List]), turns the
// two into a [plan.State], and asks its pure [plan.State.Plan] for the next safe steps:
//
//	Reconcile ─► Desired + List ─► State ─► Plan ─► Route, Start, Kill, Finish, Stop
//	    ▲                                                          │
//	    └────────────── a step ended, a dyno is up ◄───────────────┘
//
// There is no deployment object and nothing to resume. New dynos missing:
// start. New dynos up: route, and finish the release. Old dynos unrouted: stop.
// Killed at any line, the next look goes on from what it finds. Steps that take
// long (starts with their pulls, drains, stops) run beside the looks; a State
// tells which are under way, so that no look repeats them and none waits for
// them.
//
// What holds at all times: nothing is stopped because a look failed; a new dyno
// is up and routed before the one it replaces is stopped; the last web dyno
// that answers is not taken away as long as one is wanted.
//
// The package does not know what runs dynos. That is an [engine.Engine], in a package
// below this one; package enginetest says in tests what every engine must do.
package runtime
