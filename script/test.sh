#!/usr/bin/env bash
# Runs all tests: unit and integration tests first, then the end-to-end ones
# against the real binary. A missing Docker or redis-server is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

docker version >/dev/null || {
	echo "test: no Docker daemon answers; run script/setup.sh" >&2
	exit 1
}
go list ./... | grep -v '/e2e' | xargs go test -race -timeout 10m
go test -race -count=1 -timeout 60m ./e2e/...
