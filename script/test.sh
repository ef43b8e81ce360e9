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
programs=$(mktemp -d)
budget() {
	echo "test: seconds per package, the longest first (unit tests of several packages run at the same time)"
	awk '$1 ~ /^(ok|FAIL)$/ && $3 ~ /^[0-9.]+s$/ { printf "%9.1f  %s\n", $3, $2 }' "$said" | sort -rn
	rm -rf "$said" "$programs"
	echo "test: $SECONDS seconds in all"
}
trap budget EXIT

# The images of services that tests run, unless they are there. Nobody's time limit
# runs meanwhile.
go run ./e2e/services/make
echo "test: the images of services are there after $SECONDS seconds"

# What fails ends the run at its end, so that one run tells of everything. Two packages
# per processor at a time: half of them wait for Docker and for fsyncs.
failed=0
# The store alone: its tests have redis-servers that sync each write, which must not wait
# for minutes of other packages' syncs.
go test -race -timeout 20m -p 1 ./store/... | tee "$said" || failed=1
go list ./... | grep -v -e '/e2e' -e '/store' | xargs go test -race -timeout 20m -p "$((2 * $(nproc)))" | tee -a "$said" || failed=1

# The packages of stories run one after the other, each with two stories per
# processor: a story waits for half of its time. Side by side, the longer one would
# be left with the machine half idle.
CGO_ENABLED=1 go build -buildvcs=false -race -o "$programs/renga" ./cmd/renga
export RENGA_BINARY="$programs/renga"
for package in $(go list ./e2e/...); do
	go test -race -count=1 -timeout 60m -parallel "$((2 * $(nproc)))" "$package" | tee -a "$said" || failed=1
done
exit "$failed"
