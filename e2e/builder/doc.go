// Package builder has small apps for the builders of Cloud Native Buildpacks that tests use, whose images
// [renga/e2e/services] makes without pulling any.
//
//	app := builder.Node
//	builderRef, runRef := app.Make(t) // renga-test-builder:24, renga-test-run:24
//	err := app.Write(dir)             // package.json, package-lock.json, server.js
//
// The builders have the lifecycle itself, and small buildpacks under the ids of Heroku's: heroku/nodejs, heroku/python,
// heroku/ruby, heroku/java and heroku/procfile. Each fetches what the app's lock file says with the language's own tool.
// npm asks its registry; pip, bundler and Maven are given libraries of Debian's packages, which are in the builder, in
// place of their registries.
//
// # How long it takes
//
// Seconds to build an app on two cores that were shared with other tests at a load of 5 to 8; the images are there:
//
//	          first   again
//	Node.js    7.7     2.9
//	Python     4.0     0.8
//	Ruby       4.0     0.9
//	Java      12.5     7.4
package builder
