package services

import (
	"context"
	"fmt"
)

// The services, by the names of their images.
const (
	Postgres17  = "postgres:17"
	Postgres15  = "postgres:15"
	Redis7      = "redis:7"
	Memcached16 = "memcached:1.6"
	MariaDB1011 = "mariadb:10.11"
	RabbitMQ310 = "rabbitmq:3.10"
	// MongoDB cannot be had; what answers is FerretDB.
	Mongo7 = "mongo:7"
	// Elasticsearch cannot be had; what answers is a stand-in of our own.
	Elasticsearch813 = "elasticsearch:8.13.4"
	// Client is no service, but the web app that uses all of them.
	Client = "renga-test-client:latest"
)

// The builders of Cloud Native Buildpacks, and the images that apps run on which they build.
const (
	// Builder24 builds apps in Node.js, Python and Ruby. It stands for heroku/builder:24.
	Builder24 = "renga-test-builder:24"
	Run24     = "renga-test-run:24"
	// JavaBuilder24 is Builder24 with Java.
	JavaBuilder24 = "renga-test-builder-java:24"
	JavaRun24     = "renga-test-run-java:24"
)

// bookworm is Debian 12, on which the images stand; trixie is Debian 13, for what is newer.
const (
	bookworm = "renga-test-base:bookworm"
	trixie   = "renga-test-base:trixie"
)

// recipes says how each image is made.
var recipes = []recipe{
	{tag: bookworm, dir: "base", suite: "bookworm"},
	{tag: trixie, dir: "base", suite: "trixie"},
	{tag: Postgres15, dir: "postgres", base: bookworm, args: map[string]string{"VERSION": "15"}},
	{tag: Postgres17, dir: "postgres", base: trixie, args: map[string]string{"VERSION": "17"}},
	{tag: Redis7, dir: "redis", base: bookworm},
	{tag: Memcached16, dir: "memcached", base: bookworm},
	{tag: MariaDB1011, dir: "mariadb", base: bookworm},
	{tag: RabbitMQ310, dir: "rabbitmq", base: bookworm},
	{tag: Mongo7, dir: "mongo", base: bookworm, tags: "ferretdb_no_postgresql", programs: map[string]string{
		"mongod":       ".",
		"mongosh":      "./mongosh",
		"mongodump":    "github.com/mongodb/mongo-tools/mongodump/main",
		"mongorestore": "github.com/mongodb/mongo-tools/mongorestore/main",
	}},
	{tag: Elasticsearch813, dir: "elasticsearch", base: bookworm, programs: map[string]string{"elasticsearch": "."}},
	{tag: Client, dir: "../client", programs: map[string]string{"client": "."}},
	{tag: Run24, dir: "run", base: bookworm},
	{tag: Builder24, dir: "builder", base: Run24, programs: map[string]string{
		"lifecycle": "github.com/buildpacks/lifecycle/cmd/lifecycle",
		"launcher":  "github.com/buildpacks/lifecycle/cmd/launcher",
	}, host: map[string]string{"ca-certificates.crt": "/etc/ssl/certs/ca-certificates.crt"}},
	{tag: JavaRun24, dir: "run-java", base: Run24},
	{tag: JavaBuilder24, dir: "builder-java", base: Builder24},
}

// Names are the names of all images.
func Names() []string {
	var names []string
	for _, r := range recipes {
		if r.suite == "" {
			names = append(names, r.tag)
		}
	}
	return names
}

// Build makes the image of that name unless there is one of the same recipe, and returns its tag. Builds in several
// processes at once wait for each other.
func Build(ctx context.Context, name string) (string, error) {
	k, err := newKitchen(ctx)
	if err != nil {
		return "", err
	}
	if err := k.build(ctx, name); err != nil {
		return "", fmt.Errorf("build image %s: %w", name, err)
	}
	return name, nil
}
