// Package renga holds the nouns of the platform and their rules: apps, images,
// releases, formations, dynos, config vars, routes and errors.
//
// How they belong together: an account owns an [App]. A [Push] brings an
// [Image] per process type. The app's [Inputs] (images, config vars, add-on
// credentials) are frozen into a [Release], which never changes afterwards. A
// [Formation] says how many dynos of each process type run, apart from any
// release. What should run now is a [Desired]; what runs is a list of [Dyno];
// where requests are sent is a [Route].
//
// The package imports nothing but the standard library and does no I/O. The
// rooms around it (registry, releaser, runtime, router, store, api, config,
// seal) exchange only these.
package renga
