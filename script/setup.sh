#!/usr/bin/env bash
# Installs what is missing and starts a Docker daemon where none answers:
# Docker Engine, redis-server and git, from Debian's packages. What is there already
# is left as it is. With --test also what the tests need: a C compiler, for the
# race detector, npm, for the official CLI, rsyslog, for log drains, HAProxy, for what
# balancers say of clients, systemd, to check the unit, mmdebstrap, for the images of services,
# and psql, which the CLI runs;
# with --bench what the router is measured with and against: wrk, nginx and Caddy.
#
# DOCKER_HOST says which daemon to ask; DOCKERD_ARGS is handed to a dockerd that
# has to be started.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly log=$PWD/.renga/dockerd.log
dockerd= # the pid of the daemon that was started here

has() { command -v "$1" >/dev/null 2>&1; }

die() {
	printf 'setup: %s\n' "$*" >&2
	exit 1
}

docker_answers() { has docker && timeout 10 docker version >/dev/null 2>&1; }

under_systemd() { [ -d /run/systemd/system ]; }

# missing_packages prints the packages whose programs are not there.
missing_packages() {
	if ! docker_answers && ! has dockerd; then
		echo docker.io iptables
	fi
	# Since Debian 13 the docker command has a package of its own.
	if ! has docker && apt-cache show docker-cli >/dev/null 2>&1; then
		echo docker-cli
	elif ! has docker; then
		echo docker.io
	fi
	has redis-server || echo redis-server
	has curl || echo curl
	has git || echo git
	case "${1:-}" in
	--test)
		has gcc || echo gcc libc6-dev
		has npm || echo nodejs npm
		has rsyslogd || echo rsyslog
		has haproxy || echo haproxy
		has systemd-analyze || echo systemd
		has mmdebstrap || echo mmdebstrap
		has psql || echo postgresql-client
		;;
	--bench)
		has wrk || echo wrk
		[ -x /usr/sbin/nginx ] || echo nginx-light
		has caddy || echo caddy
		;;
	esac
}

# install_packages keeps services from being started by their packages: Renga
# runs a redis-server of its own, and the port of Debian's is not ours to take.
install_packages() {
	has apt-get || die "missing: $*. There is no apt-get here; install them by hand and run this again."
	[ "$(id -u)" = 0 ] || die "missing: $*. Run this as root, or install them by hand and run it again."
	echo "Installing $*"
	local policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		# shellcheck disable=SC2064 # the path is the one of now
		trap "rm -f '$policy'" EXIT
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
		-o DPkg::Lock::Timeout=300 "$@" || die "apt-get could not install: $*. Its messages above say why."
	local package
	for package in redis-server rsyslog haproxy nginx-light caddy; do
		case " $* " in
		*" $package "*) disable_service "${package%-light}" ;;
		esac
	done
}

# disable_service keeps the service that was installed just now from being
# started at the next boot.
disable_service() {
	if has systemctl; then
		systemctl disable --quiet "$1.service" >/dev/null 2>&1 && return
	fi
	update-rc.d "$1" disable >/dev/null 2>&1 || true # no init system: nothing starts it
}

start_docker() {
	[ "$(id -u)" = 0 ] || die "no Docker daemon answers. Start it, or run this as root."
	echo "Starting the Docker daemon"
	if under_systemd && [ -z "${DOCKER_HOST:-}" ]; then
		systemctl start docker || die "systemd could not start Docker; see: journalctl -u docker"
	else
		mkdir -p "${log%/*}"
		# shellcheck disable=SC2086 # several arguments
		setsid nohup dockerd ${DOCKER_HOST:+--host "$DOCKER_HOST"} ${DOCKERD_ARGS:-} >"$log" 2>&1 </dev/null &
		dockerd=$!
	fi
	wait_for_docker
}

wait_for_docker() {
	for _ in $(seq 120); do
		docker_answers && return
		if [ -n "$dockerd" ] && ! kill -0 "$dockerd" 2>/dev/null; then
			tail -n 15 "$log" >&2
			die "the Docker daemon ended at once; the last lines of $log are above."
		fi
		sleep 0.5
	done
	die "the Docker daemon does not answer after a minute; see $log, or journalctl -u docker."
}

has go || die "Go is missing: install Go 1.26 or newer."
case "${DOCKER_HOST:-}" in
"" | unix://*) ;;
*) docker_answers || die "no Docker daemon answers at DOCKER_HOST=$DOCKER_HOST. Start it there, or unset DOCKER_HOST." ;;
esac
packages=$(missing_packages "$@")
if [ -n "$packages" ]; then
	if has apt-get && [ "$(id -u)" = 0 ]; then
		apt-get update -q || echo "setup: apt-get update had errors; going on with the lists that are there" >&2
		packages=$(missing_packages "$@") # the lists may name more now
	fi
	# shellcheck disable=SC2086 # several packages
	install_packages $packages
fi
docker_answers || start_docker
