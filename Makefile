# Everything that people and CI do with Renga. `make help` lists the targets.
SHELL   := /bin/bash
BINARY  ?= bin/renga
# What `renga version` says: the tag, commits since, and whether files were changed.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

export BINARY

.DEFAULT_GOAL := help
.PHONY: help up down build install check test e2e bench lint image setup clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

up: setup build ## install what is missing, start Renga in the background, say how to use it
	@script/up.sh

down: ## stop Renga; dynos and all data stay
	@script/down.sh

setup: ## install what `make up` needs and is missing
	@script/setup.sh

build: ## build bin/renga, one static binary
	CGO_ENABLED=0 go build -buildvcs=auto -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/renga ./cmd/renga

install: build ## make a server of this machine: binary, systemd unit, settings (docs/server.md)
	@script/install.sh

check: ## the quick part: gofmt, vet, unit tests without Docker (under 2 minutes)
	@script/check.sh

test: ## set up and run everything: lint, unit, integration, end to end (20 minutes on 2 cores)
	@script/setup.sh --test
	@script/lint.sh
	@script/test.sh

e2e: ## run the end-to-end scripts; RUN=push runs those whose name matches
	@script/setup.sh --test
	go test -race -count=1 -timeout 60m $(if $(RUN),-run '$(RUN)') -v ./e2e/...

bench: ## run the benchmarks, one package after the other (about 15 minutes)
	@script/setup.sh --bench
	go test -p 1 -run '^$$' -bench . -timeout 20m ./api ./logs ./registry ./router ./store ./e2e/bench

lint: ## run golangci-lint, installing it into .cache/bin when missing
	@script/lint.sh

image: build ## build the image renga:latest without pulling anything
	DOCKER_BUILDKIT=0 docker build --quiet --tag renga:latest .

clean: ## remove what was built; data, logs and the linter stay
	rm -rf bin coverage.out
