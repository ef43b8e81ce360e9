// Package engine says what the dyno manager asks of whatever runs dynos: an
// [Engine], and what some engines can do besides. Those that are packages of
// their own, as runtime/docker is, and the tests that all of them must pass,
// package enginetest, hang on this one, and on nothing else of the manager.
package engine
