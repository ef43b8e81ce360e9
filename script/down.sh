#!/usr/bin/env bash
# Stops the Renga that up.sh started, and takes its names out of /etc/hosts.
# Dynos, Docker and all data stay.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=script/lib.sh
. script/lib.sh

forget_hosts() {
	hosts_told || return 0
	"$binary" hosts --uninstall --data "$data" --domain "$domain" ||
		echo "The block of $domain is still in /etc/hosts; run \`make down\` as root to remove it." >&2
}

if ! pid=$(our_pid); then
	forget_hosts
	rm -f "$pidfile"
	echo "Renga is not running."
	exit 0
fi
stop "$pid"
forget_hosts
echo "Renga is stopped. Dynos and the Docker daemon go on running; data is kept in $data."
