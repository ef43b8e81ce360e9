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
