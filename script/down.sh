#!/usr/bin/env bash
# Stops the Renga that up.sh started. Dynos, Docker and all data stay.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=script/lib.sh
. script/lib.sh

if ! pid=$(our_pid); then
	rm -f "$pidfile"
	echo "Renga is not running."
	exit 0
fi
stop "$pid"
echo "Renga is stopped. Dynos and the Docker daemon go on running; data is kept in $data."
