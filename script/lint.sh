#!/usr/bin/env bash
# Runs golangci-lint. It is installed into .cache/bin when it is missing there
# or of another version.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly version=2.15.0
readonly lint=$PWD/.cache/bin/golangci-lint

if [ "$("$lint" version --short 2>/dev/null)" != "$version" ]; then
	echo "Installing golangci-lint v$version into .cache/bin (some minutes the first time)"
	GOBIN=$PWD/.cache/bin go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$version"
fi
exec "$lint" run "$@" ./...
