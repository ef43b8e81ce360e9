#!/usr/bin/env bash
# Runs all tests: unit and integration tests first, then the end-to-end ones
# against the real binary. A missing Docker or redis-server is a failure. At the
# end it says which packages took how long, so that growth is seen.
set -euo pipefail
cd "$(dirname "$0")/.."

docker version >/dev/null || {
	echo "test: no Docker daemon answers; run script/setup.sh" >&2
	exit 1
}

said=$(mktemp)
budget() {
	echo "test: seconds per package, the longest first (packages run at the same time)"
	awk '$1 ~ /^(ok|FAIL)$/ && $3 ~ /^[0-9.]+s$/ { printf "%9.1f  %s\n", $3, $2 }' "$said" | sort -rn
	rm -f "$said"
	echo "test: $SECONDS seconds in all"
}
trap budget EXIT

go list ./... | grep -v '/e2e' | xargs go test -race -timeout 10m | tee "$said"
go test -race -count=1 -timeout 60m ./e2e/... | tee -a "$said"
