// Package services makes images of databases and other services for tests, under the names that the catalogue of
// add-ons uses, and builders of Cloud Native Buildpacks, without pulling anything.
//
//	tag, err := services.Build(ctx, services.Postgres15)
//
// The images stand for those of the registries: same names, same environment, arguments, ports, volumes and users, so
// that exactly what is shipped is tested. They are made of Debian's packages; each has a folder in images.
//
// An image has a label with the hash of its recipe, which is all that it is made of here. One that is there with this
// hash is used as it is, by all tests of this machine; it is made anew when the recipe changes. The versions of
// Debian's packages are those of the day it was made: remove the image to get newer ones. What an older recipe made
// stays as renga-test-recipe:HASH, for other checkouts; `docker image rm` removes it. An image of the same name
// without the label is somebody's own, and is never replaced: [Build] fails and says so.
//
// # What differs from the registries' images
//
//   - memcached: Debian's is compiled without MEMCACHED_SASL_PWDB; a program beside it answers SASL (-S) in its place.
//     SASL is what clients of hosted memcached speak, and what the official image has. SASL_CONF_PATH is a folder.
//   - mongo: FerretDB on SQLite. Users have no roles: who is one may do everything. mongosh runs lines of JSON only;
//     mongodump and mongorestore are MongoDB's own.
//   - elasticsearch: a stand-in of our own for documents, search, health and users, which does not start with settings
//     with which the official image would want certificates or a cluster.
//   - postgres: the locale is C.UTF-8. rabbitmq: RABBITMQ_ERLANG_COOKIE is not read.
//
// # The builders
//
// [Builder24] has the lifecycle of Cloud Native Buildpacks itself, built from its module, and in place of Heroku's
// buildpacks small ones under the same ids: heroku/nodejs, heroku/python, heroku/ruby and heroku/procfile. [Run24] is what
// its label and run.toml name as the image that apps run on, as user 1000. [JavaBuilder24] and [JavaRun24] are the same
// with heroku/java, which makes them twice as large. npm asks its registry, and trusts whom this machine trusts; what
// pip, bundler and Maven fetch are Debian's packages of libraries, which are in the image, in place of their registries.
// The apps to try them with are in [renga/e2e/builder].
//
// # How long it takes
//
// Seconds to make each, on two cores that were shared with other tests at a load of 5 to 20; the programs of
// mongo, elasticsearch, the client and the builder with nothing in Go's cache, but where it says otherwise:
//
//	Debian 12 below them   19 (no load)     rabbitmq        23
//	postgres:15           100               mongo          125, 24 with Go's cache
//	postgres:17 + base    105               elasticsearch   66
//	redis                   8               the client       3 with Go's cache
//	memcached              21
//	mariadb                42               each that is there: 0.1
//	the builder           106, 31 with Go's cache, its run image included
//	the builder with Java 136, its run image included, the other builder not
//
// `go run ./e2e/services/make` makes all of them; with names, those.
package services
