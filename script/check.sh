#!/usr/bin/env bash
# The quick part of the tests: gofmt, vet, and the tests that need neither Docker
# nor root.
set -euo pipefail
cd "$(dirname "$0")/.."

untidy=$(git ls-files --cached --others --exclude-standard '*.go' | xargs gofmt -l)
if [ -n "$untidy" ]; then
	printf 'gofmt would change:\n%s\n' "$untidy" >&2
	exit 1
fi
go vet ./...
go list ./... | grep -v -e '/e2e' -e '/firewall$' -e '/docker$' -e '/addons/container$' -e '/addons/disk$' -e '/addons/sharedpostgres$' | xargs go test -timeout 2m
